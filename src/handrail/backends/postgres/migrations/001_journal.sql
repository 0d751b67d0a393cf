-- The journal, its subjects and their conversations. Times are Unix milliseconds.

CREATE TABLE control (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  epoch BIGINT NOT NULL,          -- grows with every publish, key change and erasure
  intermediate TEXT NOT NULL,      -- id of the intermediate key that new subject keys are wrapped by
  lookup_check BYTEA NOT NULL,      -- proves that the keys folder belongs to this database
  swept BIGINT NOT NULL,          -- every interaction opened at or below this seq has its end
  probed BIGINT NOT NULL          -- last time a writer checked that the disk takes a commit again
);

-- One row for each entry, never changed: what the log and `verify` read.
CREATE TABLE entry (
  seq BIGINT PRIMARY KEY,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  commitment BYTEA NOT NULL,
  facts BYTEA NOT NULL
);
CREATE UNIQUE INDEX entry_id ON entry (id);
-- Row numbers come in blocks for each writer, so a later commit may carry a lower one.
CREATE SEQUENCE entry_block;

-- What has no index in the log yet. Commits of several writers overlap, so a number alone cannot tell.
CREATE TABLE unsequenced (
  seq BIGINT PRIMARY KEY
);

-- Ciphertexts, apart from everything that is scanned. `sealed` becomes NULL when it is erased or its time is over.
CREATE TABLE payload (
  seq BIGINT PRIMARY KEY,
  subject TEXT NOT NULL,
  sealed BYTEA
);
CREATE INDEX payload_subject ON payload (subject, seq);

-- A projection of the facts of finished interactions (ledger.read.project), narrow so that a million is a short scan.
CREATE TABLE interaction (
  seq BIGINT PRIMARY KEY,
  interaction TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  use_case TEXT NOT NULL,
  conversation TEXT NOT NULL,
  release BYTEA,
  verdict TEXT NOT NULL,
  outcome TEXT NOT NULL,
  language TEXT NOT NULL,
  kinds BIGINT NOT NULL
);
CREATE INDEX interaction_id ON interaction (interaction);
CREATE INDEX interaction_at ON interaction (at_ms);

CREATE TABLE subject (
  id TEXT PRIMARY KEY,
  wrapped BYTEA,                    -- NULL: erased
  wrapped_by TEXT NOT NULL,
  person INTEGER NOT NULL,         -- 1: a customer, 0: a conversation without one
  at_ms BIGINT NOT NULL
);

-- Keyed hash of a customer id.
CREATE TABLE customer (
  hash BYTEA PRIMARY KEY,
  subject TEXT NOT NULL
);

CREATE TABLE conversation (
  id TEXT PRIMARY KEY,
  use_case TEXT NOT NULL,
  key_id TEXT NOT NULL,
  subject TEXT NOT NULL,
  given BYTEA,                      -- keyed hash of the id that the client gave
  tail BYTEA,                       -- keyed hash of the history up to the last answer
  seen BYTEA NOT NULL,              -- 16 bytes for each message already recorded
  turns INTEGER NOT NULL,
  release TEXT,
  at_ms BIGINT NOT NULL
);
CREATE INDEX conversation_subject ON conversation (subject);
CREATE INDEX conversation_given ON conversation (given) WHERE given IS NOT NULL;
CREATE INDEX conversation_tail ON conversation (tail) WHERE tail IS NOT NULL;

-- A conversation that also names a subject whose key it is not sealed under (a later login).
CREATE TABLE party (
  conversation TEXT NOT NULL,
  subject TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (conversation, subject)
);
CREATE INDEX party_subject ON party (subject);

CREATE TABLE legal_hold (
  subject TEXT PRIMARY KEY,
  entry TEXT NOT NULL,
  at_ms BIGINT NOT NULL
);

-- Subjects erased, for a restored backup to replay.
CREATE TABLE erased (
  subject TEXT PRIMARY KEY,
  entry TEXT NOT NULL,
  at_ms BIGINT NOT NULL
);

-- Objects at a provider that a use case and customer made through handrail. `hash`: keyed, of use case, customer, name.
CREATE TABLE provider_object (
  hash BYTEA PRIMARY KEY,
  customer BYTEA,                   -- keyed hash as in `customer`, so that an erasure finds it
  conversation TEXT,               -- in which it was made
  at_ms BIGINT NOT NULL
);
CREATE INDEX provider_object_customer ON provider_object (customer) WHERE customer IS NOT NULL;

-- What each use case used in each period (a day of the organisation, a minute), all processes together.
CREATE TABLE spending (
  use_case TEXT NOT NULL,
  period TEXT NOT NULL,
  requests BIGINT NOT NULL,
  tokens BIGINT NOT NULL,
  cost_micro_minor BIGINT NOT NULL,
  PRIMARY KEY (use_case, period)
);

-- The log: index to entry, in its own narrow table so that sequencing rewrites nothing.
CREATE TABLE sequenced (
  idx BIGINT PRIMARY KEY,
  seq BIGINT NOT NULL
);
CREATE UNIQUE INDEX sequenced_seq ON sequenced (seq);

CREATE TABLE log_head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  size BIGINT NOT NULL,
  root BYTEA NOT NULL,
  checkpoint BYTEA NOT NULL,
  leader TEXT NOT NULL,
  leader_until BIGINT NOT NULL
);
