"""Which conversation and customer the calls inside belong to."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Talk:
    """`id`: of the conversation, as given to `x-handrail-conversation`. `customer`: the company's id of the person.
    `language`: of sentences meant for the customer, such as `en`. `facts`: what your own systems know of this session,
    such as `customer.id` of who has signed in; verified when the key has the scope `facts`."""

    id: str | None = None
    customer: str | None = None
    language: str | None = None
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def headers(self) -> dict[str, str]:
        """For the model's client (`extra_headers=`), so that its words stand in the same conversation."""
        named = {"x-handrail-conversation": self.id, "x-handrail-customer": self.customer}
        return {name: value for name, value in named.items() if value is not None}


_CURRENT: ContextVar[Talk] = ContextVar("handrail_talk", default=Talk())  # noqa: B039  it is frozen


@contextmanager
def conversation(
    id: str,  # noqa: A002  as it is called
    *,
    customer: str | None = None,
    language: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Iterator[Talk]:
    """`with conversation("ticket-9", customer="c-17"):` every action inside belongs to it, also in tasks and threads
    that are started inside with a copy of the context, as agent frameworks do."""
    talk = Talk(id, customer, language, facts or {})
    before = _CURRENT.set(talk)
    try:
        yield talk
    finally:
        _CURRENT.reset(before)


def current() -> Talk:
    return _CURRENT.get()
