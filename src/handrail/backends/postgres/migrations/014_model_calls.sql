-- Tool calls that models asked for in the last ten minutes: they link an agent's call to its conversation.

CREATE TABLE model_call (
  hash BYTEA NOT NULL,              -- keyed, of use case, key lineage, name and canonical arguments
  conversation TEXT NOT NULL,
  at_ms BIGINT NOT NULL
);
CREATE INDEX model_call_hash ON model_call (hash);
CREATE INDEX model_call_at ON model_call (at_ms);
CREATE INDEX model_call_conversation ON model_call (conversation);
