"""Texts of outsiders that reach an agent beside a conversation, such as resources and prompts of MCP servers: read by
the detectors as documents, then decided by the use case's rules for sources.

What is blocked, handed over or could not be read goes no further; what is masked goes on masked, under a key of this
process, so that no value comes back. Nothing passes unread.
"""

from collections.abc import Sequence

import msgspec

from handrail.detectors.mask import mask
from handrail.guard.record import located
from handrail.guard.screen import Screener, Setting, screen
from handrail.guard.turn import Channel, Leaf, Message
from handrail.policy.evaluate import DecisionInput, Rules, Side, decide
from handrail.terms.clock import Clock
from handrail.terms.decision import Outcome
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Role

STOPPED = frozenset({Outcome.BLOCKED, Outcome.HANDOVER, Outcome.REFUSED})


class Let(msgspec.Struct, frozen=True):
    """`texts`: as they may go on. `kinds`: what was found, for the log. `untrusted`: an injection stands in them."""

    texts: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    untrusted: bool = False


def let_through(
    texts: Sequence[str], unreadable: Sequence[str], rules: Rules, *, screener: Screener, clock: Clock, key: bytes
) -> Let:
    """`unreadable`: types of parts that no detector can read. Raises HandrailError BLOCKED or GUARD_UNAVAILABLE."""
    use_case = rules.use_case
    leaves = tuple([Leaf(Channel.DOCUMENT, text, (at,)) for at, text in enumerate(texts)])
    deadline = clock.monotonic() + use_case.detector_deadline_ms / 1_000
    setting = Setting(
        side=Side.INPUT, screener=screener, deadline=deadline, links_allowed=use_case.links_allowed
    )  # fmt: skip
    seen = screen([Message(Role.DOCUMENT, leaves, None, tuple(unreadable))], [True], setting)
    decision = decide(
        DecisionInput(
            use_case=use_case.id, language=seen.language, found=seen.found, failures=seen.failures,
            unreadable=seen.unreadable,
        ),
        rules,
    )  # fmt: skip
    if decision.outcome in STOPPED:
        if decision.error is not None:
            raise HandrailError(decision.error, "a part of this text cannot be read, so it does not pass")
        raise HandrailError(Code.BLOCKED, decision.sentence or "the rules do not let this text pass")
    spans = located(seen, decision.masks) if decision.masks else {}
    passed = tuple(
        [mask(text, spans[0, at], key).text if (0, at) in spans else text for at, text in enumerate(texts)]
    )  # fmt: skip
    return Let(passed, tuple(sorted({found.kind.value for found in seen.found})), decision.untrusted)
