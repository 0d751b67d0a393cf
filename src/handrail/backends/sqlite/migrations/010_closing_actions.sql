-- Who made a key: a person may not settle what a key of hers asks for. Empty: the operator, or made before this was kept.
ALTER TABLE api_key ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
