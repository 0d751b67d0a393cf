"""The declared fields of `console.sign_in` in `handrail.yaml`: how long a sign-in lasts, what it takes, who vouches."""

from typing import Annotated

import msgspec
from msgspec import Meta

from handrail.home.says import says
from handrail.people.role import Role

Words = Annotated[str, Meta(min_length=1, max_length=2000, extra={"expected": "a text"})]
Amount = Annotated[float, Meta(ge=0)]
EnvName = Annotated[
    str, Meta(pattern=r"^[A-Z][A-Z0-9_]{0,127}$", extra={"expected": "the name of an environment variable"})
]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unknown fields are mistakes, never ignored."""


class OidcFile(Strict, frozen=True, kw_only=True):
    """An OpenID Connect provider: authorization code with PKCE. The secret stays in the environment or in a file."""

    name: Annotated[Words, says("What the button says, such as Example ID.")]
    issuer: Annotated[Words, says("Exactly as its configuration says, such as https://id.example.")]
    client_id: Annotated[Words, says("As the provider knows this console.")]
    secret_env: Annotated[EnvName | None, says("Environment variable that holds the client's secret.")] = None
    secret_file: Annotated[Words | None, says("File that holds the client's secret; relative to the home.")] = None
    hosts: Annotated[
        tuple[Words, ...],
        says("Other addresses that its configuration names for tokens and keys, such as https://keys.id.example."),
    ] = ()
    private_network: Annotated[bool, says("It may be at a private or loopback address.")] = False
    ca_file: Annotated[Words | None, says("Own certificate authority, PEM; relative to the home.")] = None
    scopes: Annotated[tuple[Words, ...], says("What is asked for; openid is needed.")] = ("openid", "email", "profile")
    groups_claim: Annotated[Words, says("Where a token lists the groups.")] = "groups"
    groups: Annotated[dict[str, tuple[Role, ...]], says("Group of the provider to roles here; never admin.")] = {}
    create: Annotated[
        bool, says("Whoever has such a group comes in without being added; her roles then follow her groups.")
    ] = False
    trust_second_factor: Annotated[
        bool, says("Its accounts always show two factors, so none is asked for here. Else its amr claim decides.")
    ] = False


class SignInFile(Strict, frozen=True, kw_only=True):
    """Signing in to the console."""

    idle_minutes: Annotated[int, says("A sign-in ends after so long without a request.", ge=5, le=1_440)] = 30
    most_hours: Annotated[int, says("And after so long whatever happens.", ge=1, le=168)] = 12
    fresh_minutes: Annotated[int, says("So long who it is counts as shown just now.", ge=1, le=60)] = 5
    fresh_above: Annotated[Amount | None, says("Deciding about such an amount or more needs a fresh sign-in.")] = None
    second_factor: Annotated[tuple[Role, ...], says("Roles that need an app or a passkey beside the password.")] = (
        Role.APPROVER,
        Role.ADMIN,
    )
    oidc: Annotated[OidcFile | None, says("A provider who vouches for people.")] = None
