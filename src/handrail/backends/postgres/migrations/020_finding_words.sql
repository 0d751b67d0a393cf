-- What persons say of findings. Nothing personal of a customer.

CREATE TABLE finding_word (
  interaction TEXT NOT NULL,
  finding BIGINT NOT NULL,        -- its place in the interaction's facts
  person TEXT NOT NULL,
  use_case TEXT NOT NULL,
  kind TEXT NOT NULL,
  word TEXT NOT NULL,              -- right, wrong
  version BIGINT NOT NULL,        -- compared and set
  body BYTEA NOT NULL,              -- JSON of review.verdicts.Judged
  PRIMARY KEY (interaction, finding, person)
);
CREATE INDEX finding_word_kind ON finding_word (use_case, kind, word);
