"""Who asks, as far as pages need to know. `signin.session` finds out."""

from typing import Protocol

from handrail.people.role import Role
from handrail.terms.ids import PersonId


class Visitor(Protocol):
    """A person who is signed in. `authenticated_at`: when she last proved who she is, Unix ms. `session`: its id.
    `csrf`: what each form of hers must carry. `language`, `theme`: as she chose; empty: her browser's. `token`: what
    commands take as her token, checked again in their own transaction; never shown or logged."""

    @property
    def person(self) -> PersonId: ...

    @property
    def name(self) -> str: ...

    @property
    def roles(self) -> frozenset[Role]: ...

    @property
    def authenticated_at(self) -> int: ...

    @property
    def session(self) -> str: ...

    @property
    def csrf(self) -> str: ...

    @property
    def language(self) -> str: ...

    @property
    def theme(self) -> str: ...

    @property
    def token(self) -> str: ...
