"""From findings in texts to what is done about them: the decision, the hold-out, the refusal with its place; pure."""

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from handrail.guard.assigned import stays_without
from handrail.guard.caller import Caller
from handrail.guard.record import Draft, Weighed
from handrail.guard.screen import Screened
from handrail.guard.turn import Message
from handrail.policy.evaluate import Decision, DecisionInput
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId


@lru_cache(maxsize=1_024)
def _nothing(use_case: UseCaseId, language: str) -> DecisionInput:
    """The input of a decision when nothing was found, which is most of them."""
    return DecisionInput(use_case=use_case, language=language)


def decided(caller: Caller, screened: Screened, language: str) -> Weighed:
    if not (screened.found or screened.failures or screened.unreadable):
        return Weighed(screened, _nothing(caller.use_case.id, language), caller.rules.nothing)
    given = DecisionInput(
        use_case=caller.use_case.id,
        language=language,
        found=screened.found,
        failures=screened.failures,
        unreadable=screened.unreadable,
    )
    known = caller.rules.decided(given)
    return Weighed(screened, given, known.decision, known.recorded)


def held_out(draft: Draft, decision: Decision) -> Decision:
    """A conversation of the hold-out hears the hand-over sentence where it would be answered."""
    ramp = stays_without(draft.caller, draft.thread)
    if ramp is None or draft.input is None:
        return decision
    spoken, language = ramp.hold_out_sentences, draft.input.screened.language
    return msgspec.structs.replace(
        decision, outcome=Outcome.HANDOVER, verdict=Verdict.DENY, sentence=spoken.get(language) or spoken.get("*", "")
    )


def raised(decision: Decision, messages: Sequence[Message], of: str = "") -> Decision:
    """`messages`: those it was decided on. `of`: what they are, where they have no number for the client."""
    if decision.outcome is Outcome.REFUSED:
        code = decision.error or Code.GUARD_UNAVAILABLE
        raise HandrailError(code, _unread(messages, of) if code is Code.PART_UNREADABLE else _WHY.get(code, _WHY[None]))
    return decision


def _unread(messages: Sequence[Message], of: str) -> str:
    """Where the first part is that no detector can read, and who may let it pass."""
    where, number = of or "the request", 0
    for message in messages:
        number += message.history is not None
        if message.unreadable:
            numbered = message.history is not None and not of
            place = f"message {number} ({message.role.value})" if numbered else where
            where = f"{place} holds {', '.join(message.unreadable)}"
            break
    return (
        f"{where}, which no detector can read, and this use case refuses such parts; to let them pass unread, its "
        "owner can set on_unreadable_part: mark"
    )


_WHY: dict[Code | None, str] = {
    Code.GUARD_LATE: "screening took longer than this use case allows, so nothing was passed on",
    None: "screening could not be completed, so nothing was passed on",
}
