-- Actions, what they draw on, and the stops. Times are Unix milliseconds.

CREATE TABLE action (
  id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  version INTEGER NOT NULL,        -- compared and set with each move
  subject TEXT NOT NULL,
  conversation TEXT,
  business BLOB NOT NULL,          -- keyed hash of what makes two calls the same
  created_at INTEGER NOT NULL,
  due_at INTEGER,                  -- when somebody must look next; NULL: never by itself
  progress BLOB NOT NULL,          -- approvals.lifecycle.Progress
  about BLOB NOT NULL,               -- approvals.facts.About: nothing personal
  reserved BLOB NOT NULL,
  sealed BLOB,                     -- the call; NULL: erased
  given BLOB,                        -- what its decision rests on, while it waits
  result BLOB                      -- what the agent gets
) STRICT, WITHOUT ROWID;
CREATE INDEX action_state ON action (state, id);
CREATE INDEX action_due ON action (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX action_business ON action (business, created_at);
CREATE INDEX action_subject ON action (subject);
CREATE INDEX action_conversation ON action (conversation) WHERE conversation IS NOT NULL;

-- Spent and reserved together: minor units or counts.
CREATE TABLE limit_use (
  scope TEXT NOT NULL,
  period TEXT NOT NULL,
  used INTEGER NOT NULL,
  PRIMARY KEY (scope, period)
) STRICT, WITHOUT ROWID;

CREATE TABLE stop (
  id TEXT PRIMARY KEY,
  stop BLOB NOT NULL               -- approvals.stop.Stop
) STRICT, WITHOUT ROWID;

-- Whose publish first contained a rule on actions: who may not settle what it holds.
CREATE TABLE rule_author (
  digest TEXT PRIMARY KEY,
  by_kind TEXT NOT NULL,
  by_id TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
