-- Levels of autonomy that were lowered beside the ruleset. Nothing personal. Times are Unix milliseconds.

CREATE TABLE autonomy (
  use_case TEXT PRIMARY KEY,
  version INTEGER NOT NULL,        -- compared and set with each move
  body BLOB NOT NULL               -- JSON of governance.demote.Demotion
) STRICT, WITHOUT ROWID;

CREATE TABLE autonomy_trigger (
  use_case TEXT NOT NULL,
  name TEXT NOT NULL,              -- of what happened; it acts once
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (use_case, name)
) STRICT, WITHOUT ROWID;
