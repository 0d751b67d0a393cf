-- How conversations open: the mix of intents, and whether the input can be told from its past. Nothing personal.

CREATE TABLE opening_watch (
  use_case TEXT NOT NULL,
  what TEXT NOT NULL,              -- intents, input; with .past: what was learnt
  version INTEGER NOT NULL,        -- compared and set with each move; 0 for what was learnt
  body BLOB NOT NULL,
  PRIMARY KEY (use_case, what)
) STRICT, WITHOUT ROWID;
