-- Seeded wrong requests: planned, waiting in the queue as an action like any other, decided. Nothing of a customer.

CREATE TABLE drill (
  id TEXT PRIMARY KEY,
  due_at INTEGER NOT NULL,         -- when it shall enter the queue
  plan BLOB NOT NULL,              -- approvals.drill.Plan
  state TEXT NOT NULL,             -- planned, made, skipped
  action TEXT UNIQUE,
  drill BLOB,                      -- approvals.drill.Made: what is wrong with it, once it is made
  made_at INTEGER,
  decided_at INTEGER,
  person TEXT,                     -- who decided; empty: forgotten on request
  caught INTEGER                   -- 1 or 0
) STRICT, WITHOUT ROWID;
CREATE INDEX drill_due ON drill (due_at) WHERE state = 'planned';
CREATE INDEX drill_made ON drill (made_at) WHERE made_at IS NOT NULL;
