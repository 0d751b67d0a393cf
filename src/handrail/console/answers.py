"""What a handler may return beside a view model, and what it may raise."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Go:
    """303 to an address of the console: what a change answers with. `said`: shown once on the next page, in the
    visitor's words."""

    path: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Again:
    """422: a form with mistakes, shown again. `template` renders `view`."""

    view: object
    template: str


@dataclass(frozen=True, slots=True)
class File:
    """Something to save."""

    name: str
    type: str
    data: bytes


class NeedsFresh(Exception):
    """This, for this amount, needs a fresh proof of who asks."""
