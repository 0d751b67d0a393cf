-- What trials showed, and the golden answers of releases. Times are Unix milliseconds.

CREATE TABLE trial_run (
  id TEXT PRIMARY KEY,
  use_case TEXT NOT NULL,
  release TEXT NOT NULL,           -- digest
  at_ms INTEGER NOT NULL,
  body BLOB NOT NULL               -- JSON of trials.store.Run; no text of an answer
) STRICT, WITHOUT ROWID;
CREATE INDEX trial_run_at ON trial_run (at_ms);

CREATE TABLE golden (
  use_case TEXT NOT NULL,
  name TEXT NOT NULL,              -- of the case
  release TEXT NOT NULL,
  body BLOB NOT NULL,              -- JSON of trials.golden.Golden: hashes, no text
  PRIMARY KEY (use_case, name, release)
) STRICT, WITHOUT ROWID;

CREATE TABLE probing (
  use_case TEXT PRIMARY KEY,
  begun_at INTEGER NOT NULL        -- of the last scheduled round
) STRICT, WITHOUT ROWID;
