-- Actions, what they draw on, and the stops. Times are Unix milliseconds.

CREATE TABLE action (
  id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  version BIGINT NOT NULL,        -- compared and set with each move
  subject TEXT NOT NULL,
  conversation TEXT,
  business BYTEA NOT NULL,          -- keyed hash of what makes two calls the same
  created_at BIGINT NOT NULL,
  due_at BIGINT,                  -- when somebody must look next; NULL: never by itself
  progress BYTEA NOT NULL,          -- approvals.lifecycle.Progress
  about BYTEA NOT NULL,               -- approvals.facts.About: nothing personal
  reserved BYTEA NOT NULL,
  sealed BYTEA,                     -- the call; NULL: erased
  given BYTEA,                        -- what its decision rests on, while it waits
  result BYTEA                      -- what the agent gets
);
CREATE INDEX action_state ON action (state, id);
CREATE INDEX action_due ON action (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX action_business ON action (business, created_at);
CREATE INDEX action_subject ON action (subject);
CREATE INDEX action_conversation ON action (conversation) WHERE conversation IS NOT NULL;

-- Spent and reserved together: minor units or counts.
CREATE TABLE limit_use (
  scope TEXT NOT NULL,
  period TEXT NOT NULL,
  used BIGINT NOT NULL,
  PRIMARY KEY (scope, period)
);

CREATE TABLE stop (
  id TEXT PRIMARY KEY,
  stop BYTEA NOT NULL               -- approvals.stop.Stop
);

-- Whose publish first contained a rule on actions: who may not settle what it holds.
CREATE TABLE rule_author (
  digest TEXT PRIMARY KEY,
  by_kind TEXT NOT NULL,
  by_id TEXT NOT NULL,
  at_ms BIGINT NOT NULL
);
