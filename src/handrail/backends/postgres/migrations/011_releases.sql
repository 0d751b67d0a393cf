-- How far releases have come, and what each of their units became. Times are Unix milliseconds.

CREATE TABLE rollout (
  release TEXT PRIMARY KEY,        -- digest
  use_case TEXT NOT NULL,
  state TEXT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  body BYTEA NOT NULL               -- JSON of releases.lifecycle.Rollout
);
CREATE UNIQUE INDEX rollout_canary ON rollout (use_case) WHERE state = 'canary';

CREATE TABLE unit (
  release TEXT NOT NULL,           -- the canary's digest, and its how-manieth start
  run BIGINT NOT NULL,
  unit TEXT NOT NULL,              -- what was randomised
  use_case TEXT NOT NULL,
  arm TEXT NOT NULL,
  share DOUBLE PRECISION NOT NULL,             -- in force at the draw
  stage BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,        -- by assignment
  assigned_at BIGINT NOT NULL,
  conversations TEXT NOT NULL,     -- their ids, separated by commas
  outcomes BYTEA NOT NULL,          -- JSON of releases.units.Signals
  metrics BYTEA,                    -- JSON, once matured, for good
  matured_at BIGINT,
  folded BIGINT,                  -- number in the order of judging; 0: too late for its stage
  PRIMARY KEY (release, run, unit)
);
CREATE UNIQUE INDEX unit_ordinal ON unit (release, run, ordinal);
CREATE INDEX unit_waits ON unit (release, run, stage, ordinal) WHERE folded IS NULL;
CREATE INDEX unit_folded ON unit (release, run, folded) WHERE folded > 0;

CREATE TABLE judge (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  holder TEXT NOT NULL,            -- the process that judges
  until BIGINT NOT NULL
);
INSERT INTO judge VALUES (1, '', 0);

ALTER TABLE conversation ADD COLUMN drawn TEXT;  -- JSON of releases.assign.Drawn; NULL: nothing was drawn
