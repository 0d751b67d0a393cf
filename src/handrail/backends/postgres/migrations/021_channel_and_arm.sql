-- Searches by channel and by group of a release. NULL: recorded before; its facts are asked until it is filled.

ALTER TABLE interaction ADD COLUMN channel TEXT;
ALTER TABLE interaction ADD COLUMN arm TEXT;

-- How far filling has come, newest first: what stands below is still to be filled (backends.filling).
CREATE TABLE interaction_fill (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  below BIGINT NOT NULL
);
INSERT INTO interaction_fill SELECT 1, coalesce(max(seq) + 1, 0) FROM interaction;
