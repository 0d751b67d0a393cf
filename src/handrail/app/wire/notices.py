"""What notices need: the senders, and words around them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from handrail.app.settings import Settings, named_value
from handrail.app.wire import CLOCK, IDS
from handrail.approvals.notice_words import Message, Surroundings, message
from handrail.approvals.notices import Notice
from handrail.backends.egress import Egress, Origin, system_resolve
from handrail.backends.notify.outcome import Outcome
from handrail.backends.notify.send import DEADLINE_S, Senders, receiver_origins
from handrail.home.codes import CURRENCIES
from handrail.in_force.snapshot import InForce
from handrail.policy.notices import Receiver

__all__ = ["DEADLINE_S", "Delivery", "Outcome", "jitter"]


class Delivery:
    """Tries once to deliver a notice as what is in force says. One event loop."""

    def __init__(self, given: Settings, env: Mapping[str, str], in_force: InForce) -> None:
        self._home = given.home
        self._public_url = given.boot.public_url or ""
        self._in_force = in_force
        egress = Egress(resolve=system_resolve, published=_published(in_force), monotonic=CLOCK.monotonic)

        def reference(who: str, variable: str, file: str) -> str:
            return named_value(given.home, env, who, variable, file)

        self._senders = Senders(egress=egress, reference=reference, now_ms=CLOCK.now_ms)

    def receiver(self, name: str) -> Receiver | None:
        """As published now."""
        snapshot = self._in_force.current
        return None if snapshot is None else snapshot.ruleset.notices.receivers.get(name)

    async def deliver(self, notice: Notice) -> Outcome:
        """`code` is `receiver.gone` when it is published no more, or nothing is in force."""
        receiver = self.receiver(notice.receiver)
        if receiver is None:
            return Outcome(code="receiver.gone", detail="no receiver of this name is published")
        if receiver.ca_file:
            receiver = msgspec.structs.replace(receiver, ca_file=str(Path(self._home, receiver.ca_file)))
        return await self._senders.send(receiver, self._words(notice, receiver.language))

    async def close(self) -> None:
        await self._senders.close()

    def _words(self, notice: Notice, language: str) -> Message:
        snapshot = self._in_force.current
        zone = snapshot.ruleset.time_zone if snapshot is not None else "UTC"
        around = Surroundings(time_zone=zone, digits=CURRENCIES, public_url=self._public_url)
        return message(notice, language, around)


def jitter() -> float:
    """Uniform in 0..1."""
    return int.from_bytes(IDS.token(4), "big") / 2**32


def _published(in_force: InForce) -> Callable[[], frozenset[Origin]]:
    """Origins of the receivers in force, worked out once for each ruleset."""
    known: dict[str, frozenset[Origin]] = {}

    def published() -> frozenset[Origin]:
        snapshot = in_force.current
        if snapshot is None:
            return frozenset()
        if snapshot.ruleset_digest not in known:
            known.clear()
            known[snapshot.ruleset_digest] = receiver_origins(snapshot.ruleset.notices)
        return known[snapshot.ruleset_digest]

    return published
