-- Mistakes that staff flagged in an interaction: one flag of each person. Nothing personal of a customer.

CREATE TABLE flag (
  interaction TEXT NOT NULL,
  person TEXT NOT NULL,
  use_case TEXT NOT NULL,
  stands BIGINT NOT NULL,            -- 1; 0: its person took it back
  version BIGINT NOT NULL,           -- compared and set
  body BYTEA NOT NULL,              -- JSON of review.flags.Flag
  PRIMARY KEY (interaction, person)
);
CREATE INDEX flag_stands ON flag (stands, interaction);
