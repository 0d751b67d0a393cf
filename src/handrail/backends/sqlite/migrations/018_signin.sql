-- Sign-in to the console. Each body is JSON of the Struct named beside its table; no secret stands in it in clear.
-- Times are Unix milliseconds; ends_at 0: no end.

CREATE TABLE signin_session (                -- people.session.Session
  id TEXT PRIMARY KEY,
  person TEXT NOT NULL,            -- empty: nobody's
  ends_at INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX signin_session_person ON signin_session (person);
CREATE INDEX signin_session_ends ON signin_session (ends_at);

CREATE TABLE signin_account (                -- people.account.Account
  id TEXT PRIMARY KEY,
  person TEXT NOT NULL,            -- empty: nobody's
  ends_at INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX signin_account_person ON signin_account (person);
CREATE INDEX signin_account_ends ON signin_account (ends_at);

CREATE TABLE signin_passkey (                -- people.account.Passkey
  id TEXT PRIMARY KEY,
  person TEXT NOT NULL,            -- empty: nobody's
  ends_at INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX signin_passkey_person ON signin_passkey (person);
CREATE INDEX signin_passkey_ends ON signin_passkey (ends_at);

CREATE TABLE signin_identity (                -- people.account.Identity
  id TEXT PRIMARY KEY,
  person TEXT NOT NULL,            -- empty: nobody's
  ends_at INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX signin_identity_person ON signin_identity (person);
CREATE INDEX signin_identity_ends ON signin_identity (ends_at);

CREATE TABLE signin_failure (                -- people.lockout.Failures
  id TEXT PRIMARY KEY,
  person TEXT NOT NULL,            -- empty: nobody's
  ends_at INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX signin_failure_person ON signin_failure (person);
CREATE INDEX signin_failure_ends ON signin_failure (ends_at);

CREATE TABLE signin_step (                -- people.account.Step
  id TEXT PRIMARY KEY,
  person TEXT NOT NULL,            -- empty: nobody's
  ends_at INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX signin_step_person ON signin_step (person);
CREATE INDEX signin_step_ends ON signin_step (ends_at);

CREATE TABLE signin_browser (                -- people.account.Browser
  id TEXT PRIMARY KEY,
  person TEXT NOT NULL,            -- empty: nobody's
  ends_at INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX signin_browser_person ON signin_browser (person);
CREATE INDEX signin_browser_ends ON signin_browser (ends_at);

CREATE TABLE signin_demo (                -- people.account.Demo
  id TEXT PRIMARY KEY,
  person TEXT NOT NULL,            -- empty: nobody's
  ends_at INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX signin_demo_person ON signin_demo (person);
CREATE INDEX signin_demo_ends ON signin_demo (ends_at);

