"""Sign-in to the console, from the backends and the home."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.routing import Route

from handrail.app import wire
from handrail.app.serve import LOOPBACK
from handrail.app.settings import Settings, named_value
from handrail.backends.egress import system_resolve
from handrail.backends.oidc import ProviderCalls
from handrail.backends.signin_keys import SignInKeys
from handrail.console.signin import app
from handrail.console.signin.desk import Desk, SignInSettings
from handrail.console.signin.provider_pages import Provider
from handrail.console.static_files import StaticFiles
from handrail.console.words import Languages
from handrail.home.boot import OidcBoot
from handrail.people.desk import OpenFirst
from handrail.people.provider import Rules
from handrail.people.role import Role
from handrail.people.session import Lengths
from handrail.people.sign_in import Policy

if TYPE_CHECKING:
    from handrail.app.wire import Store


def policy_of(given: Settings) -> Policy:
    """How long a sign-in lasts and what it takes."""
    said = given.boot.sign_in
    lengths = Lengths(idle_ms=said.idle_ms, most_ms=said.most_ms, fresh_ms=said.fresh_ms)
    return Policy(lengths=lengths, needs_second=frozenset(map(Role, said.second_factor)))


def is_https(given: Settings) -> bool:
    """Whether people reach the console over https: by its own certificate, or by the proxy that its address names."""
    return bool(given.boot.tls_cert_file) or (given.boot.console_url or "").startswith("https://")


def desk_of(given: Settings, store: "Store") -> Desk:
    """What the pages of sign-in share. Raises HandrailError HOME_INVALID when the key of sign-in does not open."""
    said = given.boot.sign_in
    settings = SignInSettings(
        organisation=said.organisation, zone=said.time_zone, public_url=given.boot.console_url, secure=is_https(given),
        policy=policy_of(given), above_minor=said.fresh_above_minor, provider=said.oidc.name if said.oidc else "",
    )  # fmt: skip
    return Desk(
        settings, journal=store.journal, reader=store.signin, sealing=SignInKeys(store.keys.folder, wire.IDS),
        clock=wire.CLOCK, ids=wire.IDS, static=StaticFiles(), languages=Languages(),
    )  # fmt: skip


async def routes_of(given: Settings, env: Mapping[str, str], store: "Store", desk: Desk) -> list[Route]:
    """The addresses of sign-in. The demo's choice is among them only where the database is the demo's own and the
    console is reached on this machine alone. Raises HandrailError JOURNAL_UNAVAILABLE or EGRESS_DENIED."""
    boot = given.boot
    oidc = _provider(given, env, boot.sign_in.oidc) if boot.sign_in.oidc else None
    alone = boot.console_host in LOOPBACK and not boot.console_url and not boot.behind_proxy
    return app.routes(desk, provider=oidc, demo=alone and await store.signin.demo())


async def first_link(given: Settings, store: "Store", base: str) -> str | None:
    """The one-time link for the first admin while there is no person, to print once; else None. `base`: as people reach
    the console. Earlier codes stay good, since one may be in somebody's hands."""
    if await store.signin.anybody() or await store.signin.demo():
        return None
    shown = await store.journal.run(OpenFirst(ids=wire.IDS, beside=True))
    return f"{(given.boot.console_url or base).rstrip('/')}/sign-in/link?code={shown.text}"


def _provider(given: Settings, env: Mapping[str, str], said: OidcBoot) -> Provider:
    calls = ProviderCalls(
        (said.issuer, *said.hosts), private_network=said.private_network,
        ca_file=str(given.home / said.ca_file) if said.ca_file else "", resolve=system_resolve, clock=wire.CLOCK,
    )  # fmt: skip

    def secret() -> str:
        if not said.secret_env and not said.secret_file:
            return ""
        return named_value(given.home, env, "console.sign_in.oidc", said.secret_env, said.secret_file)

    return Provider(
        calls, issuer=said.issuer, client_id=said.client_id, secret=secret, scopes=" ".join(said.scopes),
        groups_claim=said.groups_claim, trust_second=said.trust_second_factor,
        rules=Rules(
            groups={group: frozenset(map(Role, roles)) for group, roles in said.groups.items()}, create=said.create
        ),
    )  # fmt: skip
