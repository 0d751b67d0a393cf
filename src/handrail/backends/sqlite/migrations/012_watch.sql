-- The watch: counts, what is compared with its past, alerts and incidents. Nothing personal. Times are Unix milliseconds.

CREATE TABLE watch_cursor (
  stream TEXT PRIMARY KEY,         -- triggers, interactions, conversations
  until_ms INTEGER NOT NULL        -- everything before is counted
) STRICT, WITHOUT ROWID;

CREATE TABLE watch_lead (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  holder TEXT NOT NULL,            -- the process that watches
  until INTEGER NOT NULL
) STRICT;
INSERT INTO watch_lead VALUES (1, '', 0);

CREATE TABLE measure (
  use_case TEXT NOT NULL,
  release TEXT NOT NULL,           -- digest, or empty
  language TEXT NOT NULL,
  channel TEXT NOT NULL,
  hour INTEGER NOT NULL,           -- since 1970
  counts BLOB NOT NULL,            -- JSON, name to number
  PRIMARY KEY (use_case, hour, release, language, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE watched (
  use_case TEXT NOT NULL,
  metric TEXT NOT NULL,
  body BLOB NOT NULL,              -- JSON of watch.series.Series
  PRIMARY KEY (use_case, metric)
) STRICT, WITHOUT ROWID;

CREATE TABLE seen_value (
  use_case TEXT NOT NULL,
  what TEXT NOT NULL,              -- language, model, tool
  value TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (use_case, what, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert (
  id TEXT PRIMARY KEY,
  cause TEXT NOT NULL,
  use_case TEXT NOT NULL,
  state TEXT NOT NULL,
  version INTEGER NOT NULL,        -- compared and set with each move
  due_at INTEGER,                  -- when it is escalated; NULL: never by itself
  body BLOB NOT NULL               -- JSON of watch.alert.Alert
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX alert_open ON alert (cause) WHERE state <> 'closed';
CREATE INDEX alert_due ON alert (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE silence (
  id TEXT PRIMARY KEY,
  until_ms INTEGER NOT NULL,
  body BLOB NOT NULL               -- JSON of watch.alert.Silence
) STRICT, WITHOUT ROWID;

CREATE TABLE incident (
  id TEXT PRIMARY KEY,
  use_case TEXT NOT NULL,
  state TEXT NOT NULL,
  version INTEGER NOT NULL,        -- compared and set with each move
  body BLOB NOT NULL               -- JSON of review.incident.Incident
) STRICT, WITHOUT ROWID;
CREATE INDEX incident_open ON incident (use_case) WHERE state <> 'closed';
