"""What a process must know before it can open the database, as a value of its own: a server needs no YAML reader."""

import msgspec


class Bootstrap(msgspec.Struct, frozen=True, kw_only=True):
    """Paths as they stand in the home; `app` resolves them against the home (`data_dir`) or the data folder (keys).

    `database`: `sqlite` or a postgresql address without a password; empty when `database_env` names the variable that
    holds it. Exactly one of `kek_file` and `kek_env` is given. `log_origin` None: the process that makes the log
    chooses once and keeps it. `log_requests`: a line in the server's log for each request. `doors_serve`: when the MCP
    door runs (`home.fields.DoorsServe`).
    """

    database: str
    database_env: str | None
    data_dir: str
    host: str
    port: int
    public_url: str | None
    behind_proxy: bool
    tls_cert_file: str | None
    tls_key_file: str | None
    kek_file: str | None
    kek_env: str | None
    log_key_file: str | None
    log_key_env: str | None
    log_origin: str | None
    log_requests: bool
    doors_host: str = "127.0.0.1"
    doors_port: int = 8081
    doors_serve: str = "needed"
    console_host: str = "127.0.0.1"
    console_port: int = 8082
    console_serve: bool = True
    console_url: str | None = None
