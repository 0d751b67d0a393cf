-- Actions that only the process of `handrail mcp` which asked for them can carry out, and until when it was heard of.

CREATE TABLE awaited (
  action TEXT PRIMARY KEY,
  runner TEXT NOT NULL,            -- the process, by the random id it gives itself
  until BIGINT NOT NULL            -- Unix ms; silent for longer: the action cannot be executed
);
CREATE INDEX awaited_until ON awaited (until);
