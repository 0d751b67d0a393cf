-- The outbox of notices. Nothing personal stands in it. Times are Unix milliseconds.

CREATE TABLE notice (
  id TEXT PRIMARY KEY,
  receiver TEXT NOT NULL,
  state TEXT NOT NULL,
  version INTEGER NOT NULL,        -- compared and set with each move
  at_ms INTEGER NOT NULL,          -- of the event
  due_at INTEGER,                  -- when to send, or when the lease of who sends is over; NULL: never
  tries INTEGER NOT NULL,
  lease_owner TEXT NOT NULL,
  code TEXT NOT NULL,              -- why the last try failed
  notice BLOB NOT NULL             -- approvals.notices.Notice
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_due ON notice (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notice_receiver ON notice (receiver, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notice_over ON notice (at_ms) WHERE due_at IS NULL;
