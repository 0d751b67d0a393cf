-- Views of the console that persons saved by a name: their own bookmarks. No rights, nothing of a customer.

CREATE TABLE saved_view (                    -- people.saved.SavedView
  id TEXT PRIMARY KEY,
  person TEXT NOT NULL,
  ends_at BIGINT NOT NULL,          -- 0: no end
  body BYTEA NOT NULL
);
CREATE INDEX saved_view_person ON saved_view (person);
