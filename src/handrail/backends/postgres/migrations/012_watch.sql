-- The watch: counts, what is compared with its past, alerts and incidents. Nothing personal. Times are Unix milliseconds.

CREATE TABLE watch_cursor (
  stream TEXT PRIMARY KEY,         -- triggers, interactions, conversations
  until_ms BIGINT NOT NULL        -- everything before is counted
);

CREATE TABLE watch_lead (
  one BIGINT PRIMARY KEY CHECK (one = 1),
  holder TEXT NOT NULL,            -- the process that watches
  until BIGINT NOT NULL
);
INSERT INTO watch_lead VALUES (1, '', 0);

CREATE TABLE measure (
  use_case TEXT NOT NULL,
  release TEXT NOT NULL,           -- digest, or empty
  language TEXT NOT NULL,
  channel TEXT NOT NULL,
  hour BIGINT NOT NULL,           -- since 1970
  counts BYTEA NOT NULL,            -- JSON, name to number
  PRIMARY KEY (use_case, hour, release, language, channel)
);

CREATE TABLE watched (
  use_case TEXT NOT NULL,
  metric TEXT NOT NULL,
  body BYTEA NOT NULL,              -- JSON of watch.series.Series
  PRIMARY KEY (use_case, metric)
);

CREATE TABLE seen_value (
  use_case TEXT NOT NULL,
  what TEXT NOT NULL,              -- language, model, tool
  value TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (use_case, what, value)
);

CREATE TABLE alert (
  id TEXT PRIMARY KEY,
  cause TEXT NOT NULL,
  use_case TEXT NOT NULL,
  state TEXT NOT NULL,
  version BIGINT NOT NULL,        -- compared and set with each move
  due_at BIGINT,                  -- when it is escalated; NULL: never by itself
  body BYTEA NOT NULL               -- JSON of watch.alert.Alert
);
CREATE UNIQUE INDEX alert_open ON alert (cause) WHERE state <> 'closed';
CREATE INDEX alert_due ON alert (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE silence (
  id TEXT PRIMARY KEY,
  until_ms BIGINT NOT NULL,
  body BYTEA NOT NULL               -- JSON of watch.alert.Silence
);

CREATE TABLE incident (
  id TEXT PRIMARY KEY,
  use_case TEXT NOT NULL,
  state TEXT NOT NULL,
  version BIGINT NOT NULL,        -- compared and set with each move
  body BYTEA NOT NULL               -- JSON of review.incident.Incident
);
CREATE INDEX incident_open ON incident (use_case) WHERE state <> 'closed';
