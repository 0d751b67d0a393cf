-- The journal, its subjects and their conversations. Times are Unix milliseconds.

CREATE TABLE control (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  epoch INTEGER NOT NULL,          -- grows with every publish, key change and erasure
  intermediate TEXT NOT NULL,      -- id of the intermediate key that new subject keys are wrapped by
  lookup_check BLOB NOT NULL,      -- proves that the keys folder belongs to this database
  swept INTEGER NOT NULL,          -- every interaction opened at or below this seq has its end
  probed INTEGER NOT NULL          -- last time a writer checked that the disk takes a commit again
) STRICT;

-- One row for each entry, never changed: what the log and `verify` read.
CREATE TABLE entry (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  commitment BLOB NOT NULL,
  facts BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX entry_id ON entry (id);

-- Ciphertexts, apart from everything that is scanned. `sealed` becomes NULL when it is erased or its time is over.
CREATE TABLE payload (
  seq INTEGER PRIMARY KEY,
  subject TEXT NOT NULL,
  sealed BLOB
) STRICT;
CREATE INDEX payload_subject ON payload (subject, seq);

-- A projection of the facts of finished interactions (ledger.read.project), narrow so that a million is a short scan.
CREATE TABLE interaction (
  seq INTEGER PRIMARY KEY,
  interaction TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  use_case TEXT NOT NULL,
  conversation TEXT NOT NULL,
  release BLOB,
  verdict TEXT NOT NULL,
  outcome TEXT NOT NULL,
  language TEXT NOT NULL,
  kinds INTEGER NOT NULL
) STRICT;
CREATE INDEX interaction_id ON interaction (interaction);
CREATE INDEX interaction_at ON interaction (at_ms);

CREATE TABLE subject (
  id TEXT PRIMARY KEY,
  wrapped BLOB,                    -- NULL: erased
  wrapped_by TEXT NOT NULL,
  person INTEGER NOT NULL,         -- 1: a customer, 0: a conversation without one
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Keyed hash of a customer id.
CREATE TABLE customer (
  hash BLOB PRIMARY KEY,
  subject TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE conversation (
  id TEXT PRIMARY KEY,
  use_case TEXT NOT NULL,
  key_id TEXT NOT NULL,
  subject TEXT NOT NULL,
  given BLOB,                      -- keyed hash of the id that the client gave
  tail BLOB,                       -- keyed hash of the history up to the last answer
  seen BLOB NOT NULL,              -- 16 bytes for each message already recorded
  turns INTEGER NOT NULL,
  release TEXT,
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX conversation_subject ON conversation (subject);
CREATE INDEX conversation_given ON conversation (given) WHERE given IS NOT NULL;
CREATE INDEX conversation_tail ON conversation (tail) WHERE tail IS NOT NULL;

-- A conversation that also names a subject whose key it is not sealed under (a later login).
CREATE TABLE party (
  conversation TEXT NOT NULL,
  subject TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (conversation, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX party_subject ON party (subject);

CREATE TABLE legal_hold (
  subject TEXT PRIMARY KEY,
  entry TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Subjects erased, for a restored backup to replay.
CREATE TABLE erased (
  subject TEXT PRIMARY KEY,
  entry TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Objects at a provider that a use case and customer made through handrail. `hash`: keyed, of use case, customer, name.
CREATE TABLE provider_object (
  hash BLOB PRIMARY KEY,
  customer BLOB,                   -- keyed hash as in `customer`, so that an erasure finds it
  conversation TEXT,               -- in which it was made
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX provider_object_customer ON provider_object (customer) WHERE customer IS NOT NULL;

-- What each use case used in each period (a day of the organisation, a minute), all processes together.
CREATE TABLE spending (
  use_case TEXT NOT NULL,
  period TEXT NOT NULL,
  requests INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  cost_micro_minor INTEGER NOT NULL,
  PRIMARY KEY (use_case, period)
) STRICT, WITHOUT ROWID;

-- The log: index to entry, in its own narrow table so that sequencing rewrites nothing.
CREATE TABLE sequenced (
  idx INTEGER PRIMARY KEY,
  seq INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX sequenced_seq ON sequenced (seq);

CREATE TABLE log_head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  size INTEGER NOT NULL,
  root BLOB NOT NULL,
  checkpoint BLOB NOT NULL,
  leader TEXT NOT NULL,
  leader_until INTEGER NOT NULL
) STRICT;
