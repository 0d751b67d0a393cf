"""Who is told of what outside handrail, as it is published: receivers of notices, written in the home's `notices:`.

A notice says that something happened and where to look, never what a customer or an agent said: no text, no argument,
no id of a customer. Secrets are references. Pure.
"""

from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from handrail.terms.ids import UseCaseId


class Event(StrEnum):
    """What a notice is about. Receivers' programs know these words: add, never rename."""

    HELD = "action.held"
    ESCALATED = "action.escalated"
    EXPIRING = "action.expiring"  # nobody has decided, and soon it is too late
    EXPIRED = "action.expired"  # nobody decided: denied
    HANDOVER = "action.handover"  # nobody decided: a person takes the case over
    HANDED_ON = "action.handed_on"
    UNKNOWN = "action.unknown"  # a person must find out what became of it
    UNREPORTED = "permit.unreported"  # who executed it with a permit has not said how it ended
    STOP_SET = "stop.set"
    STOP_LIFTED = "stop.lifted"
    ALERT = "alert.raised"  # of the watch
    ALERT_ESCALATED = "alert.escalated"  # nobody has answered it
    TEST = "test"


WORK = tuple(event for event in Event if event is not Event.TEST)
"""What a receiver that names no events is told."""


class ReceiverKind(StrEnum):
    EMAIL = "email"
    CHAT = "chat"  # JSON with a text, as Slack, Mattermost and Rocket.Chat take it
    WEBHOOK = "webhook"  # signed as in the standard-webhooks specification
    APPRISE = "apprise"
    PAGER = "pager"  # an event as PagerDuty's Events API v2 takes it


class Detail(StrEnum):
    """How much of the money a notice says."""

    NONE = "none"
    BAND = "band"  # a power of ten to the next
    AMOUNT = "amount"


class Encryption(StrEnum):
    """Of a mail server. none: only inside a private network."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class Receiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """`url`: where a chat or webhook is called; `url_env`, `url_file`: where the address stands that is a secret as a
    whole, which must lead to one of `hosts` (`name` or `name:port`). `secret_env`, `secret_file`: what a webhook is
    signed with, or a mail server's password. Empty `use_cases` or `routes`: all. `language`: `en` or `de`."""

    id: str
    kind: ReceiverKind
    url: str = ""
    url_env: str = ""
    url_file: str = ""
    hosts: tuple[str, ...] = ()
    secret_env: str = ""
    secret_file: str = ""
    port: int = 587
    encryption: Encryption = Encryption.STARTTLS
    user: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    ca_file: str = ""
    private_network: bool = False
    events: tuple[Event, ...] = WORK
    use_cases: tuple[UseCaseId, ...] = ()
    routes: tuple[str, ...] = ()
    detail: Detail = Detail.NONE
    language: str = "en"


class Notices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """`expiring_s`: how long before the time to decide is over people are reminded. `give_up_after_s`: since the event;
    then the notice is recorded as given up. `ended`: who is told when an action of a use case's agents has ended."""

    receivers: dict[str, Receiver] = {}
    ended: dict[UseCaseId, tuple[str, ...]] = {}
    expiring_s: int = 600
    give_up_after_s: int = 86_400


def listed_host(host: str) -> tuple[str, int | None]:
    """Name in lower case, without brackets, and port of `name`, `name:port` or `[IPv6]:port`. Raises ValueError."""
    parts = urlsplit(f"//{host}")
    return (parts.hostname or "").lower(), parts.port


def wants(receiver: Receiver, event: Event, *, use_case: str, route: str) -> bool:
    """Whether it is to be told. A stop has neither use case nor route, so it reaches whoever wants stops."""
    if event not in receiver.events:
        return False
    if use_case and receiver.use_cases and use_case not in receiver.use_cases:
        return False
    return not (route and receiver.routes and route not in receiver.routes)
