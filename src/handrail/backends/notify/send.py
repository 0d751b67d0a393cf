"""One try to deliver one notice, by the sender of the receiver's kind; never raises, and never takes longer than
`DEADLINE_S`."""

import asyncio
import logging
from collections.abc import Callable

from handrail.approvals.notice_words import Message
from handrail.backends.egress import DEFAULT_PORTS, Egress, Origin, parse_url
from handrail.backends.notify.apprise import AppriseSender
from handrail.backends.notify.http import HttpSender
from handrail.backends.notify.mail import MailSender, mail_origin
from handrail.backends.notify.outcome import Outcome, Reference, Sender
from handrail.policy.notices import Notices, Receiver, ReceiverKind, listed_host
from handrail.terms.errors import HandrailError

log = logging.getLogger("handrail.notices")
DEADLINE_S = 15.0


class Senders:
    """One event loop."""

    def __init__(
        self, *, egress: Egress, reference: Reference, now_ms: Callable[[], int], deadline_s: float = DEADLINE_S
    ) -> None:
        self._deadline_s = deadline_s
        http = HttpSender(egress=egress, reference=reference, now_ms=now_ms)
        self._by_kind: dict[ReceiverKind, Sender] = {
            ReceiverKind.CHAT: http,
            ReceiverKind.WEBHOOK: http,
            ReceiverKind.PAGER: http,
            ReceiverKind.EMAIL: MailSender(egress=egress, reference=reference),
            ReceiverKind.APPRISE: AppriseSender(reference=reference),
        }

    async def send(self, receiver: Receiver, message: Message) -> Outcome:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._by_kind[receiver.kind].send(receiver, message)
        except TimeoutError:
            return Outcome(code="timeout", detail=f"no answer within {self._deadline_s:.0f} s")
        except HandrailError as error:
            return Outcome(code=error.code.value, detail=error.message, retry_after_s=error.retry_after_s)
        except Exception:  # the notice, not the process: it is tried again, and the log says what is wrong
            log.exception("notice.broken", extra={"receiver": receiver.id})
            return Outcome(code="sender.broken", detail="the sender broke; the server's log says why")

    async def close(self) -> None:
        for sender in set(self._by_kind.values()):
            await sender.close()


def receiver_origins(notices: Notices) -> frozenset[Origin]:
    """What a ruleset publishes for notices; those of Apprise are kept by its own process."""
    found: set[Origin] = set()
    for receiver in notices.receivers.values():
        if receiver.kind is ReceiverKind.EMAIL:
            found.add(mail_origin(receiver))
        elif receiver.url:
            found.add(parse_url(receiver.url)[0])
        else:
            for host in receiver.hosts:
                name, port = listed_host(host)
                for scheme, usual in DEFAULT_PORTS.items():
                    found.add(Origin(scheme, name, port or usual))
    return frozenset(found)
