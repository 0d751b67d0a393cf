-- What is in force: rulesets, releases, keys; and persons with their tokens. Times are Unix milliseconds.

CREATE TABLE ruleset (
  digest TEXT PRIMARY KEY,         -- hex SHA-256 of body
  body BYTEA NOT NULL,              -- canonical JSON
  by_kind TEXT NOT NULL,           -- who published it first: its author
  by_id TEXT NOT NULL,
  at_ms BIGINT NOT NULL
);

CREATE TABLE ruleset_current (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  digest TEXT NOT NULL REFERENCES ruleset (digest),
  at_ms BIGINT NOT NULL
);

CREATE TABLE release (
  digest TEXT PRIMARY KEY,
  use_case TEXT NOT NULL,
  body BYTEA NOT NULL,
  by_kind TEXT NOT NULL,
  by_id TEXT NOT NULL,
  at_ms BIGINT NOT NULL
);

CREATE TABLE release_live (
  use_case TEXT PRIMARY KEY,
  digest TEXT NOT NULL REFERENCES release (digest),
  at_ms BIGINT NOT NULL
);

CREATE TABLE api_key (
  id TEXT PRIMARY KEY,
  hash BYTEA NOT NULL UNIQUE,       -- SHA-256 of the whole key; the key itself is nowhere
  use_case TEXT,                   -- NULL: every use case (events and reading only)
  scopes TEXT NOT NULL,            -- sorted, separated by commas
  agent TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT
);

CREATE TABLE person (
  id TEXT PRIMARY KEY,
  mail TEXT NOT NULL UNIQUE,       -- lower case
  name TEXT NOT NULL,
  roles TEXT NOT NULL,             -- sorted, separated by commas
  created_at BIGINT NOT NULL,
  disabled_at BIGINT
);

CREATE TABLE token (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,              -- personal, one_time
  hash BYTEA NOT NULL UNIQUE,       -- SHA-256 of the whole token
  person TEXT REFERENCES person (id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT,
  revoked_at BIGINT
);
