-- Outcome events: what happened afterwards. Times are Unix milliseconds.

CREATE TABLE outcome (
  event BLOB NOT NULL,             -- keyed hash of (source, id): an event's identity
  bound TEXT NOT NULL,             -- use case of the key that brought it, empty: a key for all
  id TEXT NOT NULL,                -- ours
  key_id TEXT NOT NULL,
  facts BLOB NOT NULL,             -- JSON of review.outcome.OutcomeFacts, for the entry of a later match
  named_by TEXT NOT NULL,          -- interaction, conversation, customer
  ours TEXT,                       -- the name given, when it is an id that handrail made
  named BLOB,                      -- keyed hash of the name given, when it is not; NULL once erased
  asked TEXT NOT NULL,             -- use case that the event names, or empty
  use_case TEXT NOT NULL,          -- of the conversation; while there is none: asked, or bound
  conversation TEXT,               -- NULL: unmatched
  interaction TEXT,
  subject TEXT,                    -- whose key sealed its texts
  entry TEXT NOT NULL,             -- the entry that carries its texts
  occurred_at_ms INTEGER NOT NULL,
  received_at_ms INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  next_at_ms INTEGER NOT NULL,     -- when an unmatched one is due again
  PRIMARY KEY (event, bound)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX outcome_id ON outcome (id);
CREATE INDEX outcome_waits ON outcome (next_at_ms) WHERE conversation IS NULL;
CREATE INDEX outcome_conversation ON outcome (conversation) WHERE conversation IS NOT NULL;
CREATE INDEX outcome_named ON outcome (named) WHERE named IS NOT NULL;
CREATE INDEX outcome_ours ON outcome (ours) WHERE ours IS NOT NULL;
CREATE INDEX outcome_subject ON outcome (subject) WHERE subject IS NOT NULL;
CREATE INDEX outcome_kept ON outcome (use_case, received_at_ms) WHERE subject IS NOT NULL;
