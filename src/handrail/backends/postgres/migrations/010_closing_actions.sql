-- Who made a key: a person may not settle what a key of hers asks for. Empty: the operator, or made before this was kept.
ALTER TABLE api_key ADD COLUMN made_by TEXT NOT NULL DEFAULT '';

-- Actions whose call is still kept, by age: what retention looks through.
CREATE INDEX action_kept ON action (created_at) WHERE sealed IS NOT NULL;
