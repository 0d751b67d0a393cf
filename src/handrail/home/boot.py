"""What a process must know before it can open the database, as a value of its own: a server needs no YAML reader."""

import msgspec


class OidcBoot(msgspec.Struct, frozen=True, kw_only=True):
    """`console.sign_in.oidc`. `groups`: group to names of roles."""

    name: str
    issuer: str
    client_id: str
    secret_env: str = ""
    secret_file: str = ""
    hosts: tuple[str, ...] = ()
    private_network: bool = False
    ca_file: str = ""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    groups_claim: str = "groups"
    groups: dict[str, tuple[str, ...]] = {}
    create: bool = False
    trust_second_factor: bool = False


class SignInBoot(msgspec.Struct, frozen=True, kw_only=True):
    """`console.sign_in`. `fresh_above_minor`: in minor units of the organisation's currency. `second_factor`: names of
    roles."""

    organisation: str = ""
    time_zone: str = "UTC"
    idle_ms: int = 30 * 60_000
    most_ms: int = 12 * 3_600_000
    fresh_ms: int = 5 * 60_000
    fresh_above_minor: int | None = None
    second_factor: tuple[str, ...] = ("approver", "admin")
    oidc: OidcBoot | None = None


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
    sign_in: SignInBoot = SignInBoot()
