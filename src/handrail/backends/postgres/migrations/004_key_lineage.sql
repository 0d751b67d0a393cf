-- A conversation belongs to a line of keys: it goes on when its key is rotated.

ALTER TABLE api_key ADD COLUMN first TEXT NOT NULL DEFAULT '';  -- the first key of its rotations; empty: itself
