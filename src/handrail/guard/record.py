"""What is written down of one interaction: facts without personal data, and the sealed payload.

The payload holds the masked texts of the new messages and of the answer, the token map (it is encrypted with the
subject's key like the rest), the customer's id, and the canonical input of each decision, from which `policy.evaluate`
decides again. Never-rest values are gone before anything gets here; a text that was not fully read is left out.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from handrail.guard.caller import Caller, Choice
from handrail.guard.disclosure import Told
from handrail.guard.masking import Vault
from handrail.guard.opening import NOTHING
from handrail.guard.ports import Thread
from handrail.guard.screen import Screened
from handrail.guard.turn import Leaf, Message, ModelCall, Turn, Usage
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.entry import Entry, EntryKind, FoundFact, InteractionFacts
from handrail.policy.evaluate import Decision, DecisionInput, encode, joined
from handrail.policy.ramp import Outcome as Metric
from handrail.policy.ruleset import FindingAction
from handrail.terms.decision import Outcome, Reason, Verdict
from handrail.terms.finding import NEVER_REST, PERSONAL, Finding, Kind, Role
from handrail.terms.ids import Digest, EntryId, InteractionId

Spans = Mapping[tuple[int, int], list[Finding]]
"""Findings by (message, leaf), in the leaf's own offsets."""


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message as it is kept. `texts` masked; `left_out`: it was not fully read, so its texts are not kept."""

    role: Role
    texts: tuple[str, ...] = ()
    left_out: bool = False
    parts: tuple[str, ...] = ()  # types of the parts that no detector can read


class Payload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sealed under the subject's key. `decided`: the canonical DecisionInput of each side."""

    messages: tuple[Said, ...] = ()
    answer: tuple[Said, ...] = ()
    tokens: dict[str, str] = {}
    customer: str | None = None
    decided: tuple[msgspec.Raw, ...] = ()


class DisclosureFacts(msgspec.Struct, frozen=True, kw_only=True):
    """That the customer was told, in which version and language."""

    version: str
    language: str


class Weighed(msgspec.Struct, frozen=True):
    """One side, read and decided. `recorded`: the canonical bytes of `given`, where they are known already."""

    screened: Screened
    given: DecisionInput
    decision: Decision
    recorded: msgspec.Raw | None = None


class Draft:
    """One interaction while it happens. Fields are filled in as they become known; `facts` can be taken at any time."""

    noted: tuple[Reason, ...] = ()  # refusals that observe mode let pass
    choices: tuple[Choice, ...] = ()  # who may answer
    choice: Choice | None = None  # who was asked last
    input: Weighed | None = None
    output: Weighed | None = None
    opening = NOTHING  # of the conversation, where this is its first interaction
    changes: Mapping[Leaf, str] = {}  # what the model got instead of what the client sent
    masked: Mapping[tuple[int, int], list[Finding]] = {}  # the findings that were masked in it
    answer: tuple[Message, ...] = ()
    prompt_digest: Digest | None = None
    attempts = 0
    call_tools = 0
    calls: tuple[ModelCall, ...] = ()  # that the client is to carry out
    usage = Usage()  # estimated where the provider did not say
    cost = 0
    counted = False  # tokens and cost are known, or estimated, and charged
    served = ""  # what the head of the provider's answer says of how it is served
    upstream_ms = 0
    first_byte_ms = 0
    outcome: Outcome | None = None
    status = 0
    error = ""
    stands_under: Snapshot | None = None  # what was in force when stops were looked at last
    recorded = False  # its full entry was handed to the journal; there is never a second one

    def __init__(
        self,
        interaction: InteractionId,
        caller: Caller,
        turn: Turn,
        thread: Thread,
        history: list[bytes],
        started: float,
        started_ms: int,
    ) -> None:
        """`history`: what of the turn belongs to the conversation, as its thread was opened with."""
        self.id = interaction
        self.caller = caller
        self.turn = turn
        self.thread = thread
        self.history = history
        self.started = started
        self.started_ms = started_ms
        self.channel = turn.channel if turn.channel in caller.use_case.channels else ""
        self.region = turn.region if turn.region in caller.use_case.regions else ""
        self.vault = Vault(thread.subject.key, thread.conversation)
        self.new, self.messages_new = _new(turn, thread, len(history))

    def facts(self, now: float) -> InteractionFacts:
        """Everything known so far. `now`: monotonic seconds."""
        turn, caller, thread, choice = self.turn, self.caller, self.thread, self.choice
        drawn = thread.drawn
        asked, said = self.input, self.output
        verdict, would_be, reasons, failures = _sides(asked, said)
        return InteractionFacts(
            interaction=self.id,
            conversation=thread.conversation,
            use_case=caller.use_case.id,
            key=caller.key.id,
            agent=caller.key.agent,
            route=turn.route,
            channel=self.channel,
            region=self.region,
            language=asked.screened.language if asked else "",
            stream=turn.stream,
            first=thread.first,
            unlinked=thread.unlinked,
            release=caller.live.digest,
            stage=drawn.stage if drawn else 0,
            arm=drawn.arm.value if drawn else "",
            share=drawn.share if drawn else 0.0,
            provider=choice.provider.id if choice else "",
            model=choice.target.model if choice else "",
            prompt_digest=self.prompt_digest,
            verdict=verdict,
            would_be=would_be,
            outcome=self.outcome,
            reasons=reasons + self.noted,
            findings=_found(asked) + _found(said),
            failures=failures,
            status=self.status,
            error=self.error,
            messages_new=self.messages_new,
            messages_total=len(self.history),
            tool_calls=self.call_tools,
            untrusted=bool(asked and asked.decision.untrusted),
            input_tokens=self.usage.input_tokens,
            output_tokens=self.usage.output_tokens,
            cost_micro_minor=self.cost,
            answered_by=self.usage.made_by,
            served_with=self.served,
            latency_ms=int((now - self.started) * 1000),
            first_byte_ms=self.first_byte_ms,
            upstream_ms=self.upstream_ms,
            attempts=self.attempts,
            trace=turn.trace,
            knowledge_root=caller.live.release.knowledge_root,
            intent=self.opening.intent,
            size=self.opening.size,
            questions=self.opening.questions,
            topics=self.opening.topics,
        )

    def opened(self, entry: EntryId, at_ms: int) -> Entry:
        """Queued before the model is called: what says that it began; the rest follows in the full entry."""
        turn, caller, thread = self.turn, self.caller, self.thread
        drawn = thread.drawn
        facts = InteractionFacts(
            interaction=self.id,
            conversation=thread.conversation,
            use_case=caller.use_case.id,
            key=caller.key.id,
            agent=caller.key.agent,
            route=turn.route,
            channel=self.channel,
            region=self.region,
            stream=turn.stream,
            first=thread.first,
            unlinked=thread.unlinked,
            release=caller.live.digest,
            stage=drawn.stage if drawn else 0,
            arm=drawn.arm.value if drawn else "",
            share=drawn.share if drawn else 0.0,
            verdict=self.input.decision.verdict if self.input else Verdict.ALLOW,
            trace=turn.trace,
        )
        return self._entry(entry, EntryKind.INTERACTION_OPENED, at_ms, facts, None)

    def closed(self, entry: EntryId, at_ms: int, now: float) -> Entry:
        """The full entry. One of a probe is of a kind of its own, which no search and no figure reads, and keeps no
        text: whoever asked has it."""
        if self.caller.probe:
            return self._entry(entry, EntryKind.PROBE_ANSWERED, at_ms, self.facts(now), None)
        return self._entry(entry, EntryKind.INTERACTION_CLOSED, at_ms, self.facts(now), self.payload())

    def told(self) -> Told | None:
        """What the answer tells the customer: on the first interaction of a conversation, where it is required."""
        if not (self.thread.first and self.caller.use_case.disclosure.required):
            return None
        return self.caller.disclosure.tell(self.input.screened.language if self.input else "")

    def disclosed(self, entry: EntryId, at_ms: int, told: Told) -> Entry:
        """That the first interaction carried the disclosure."""
        facts = DisclosureFacts(version=told.version, language=told.language)
        return self._entry(entry, EntryKind.DISCLOSURE_RECORDED, at_ms, facts, None)

    def payload(self) -> bytes:
        """JSON."""
        messages = _kept(self.turn.messages, self.input, self, self.new)
        answer = _kept(self.answer, self.output, self, None)
        return msgspec.json.encode(
            Payload(
                messages=messages,
                answer=answer,
                tokens={token: held.value for token, held in self.vault.held.items()},
                customer=self.turn.customer,
                decided=tuple([_encoded(side) for side in (self.input, self.output) if side]),
            )
        )

    def _entry(
        self, entry: EntryId, kind: EntryKind, at_ms: int, facts: msgspec.Struct, payload: bytes | None
    ) -> Entry:
        return Entry(
            id=entry,
            kind=kind,
            at_ms=at_ms,
            actor=self.caller.actor,
            facts=facts,
            use_case=self.caller.use_case.id,
            conversation=self.thread.conversation,
            interaction=self.id,
            subject=self.thread.subject.id,
            payload=payload,
            ruleset=self.caller.ruleset,
            release=self.caller.live.digest,
        )


def _new(turn: Turn, thread: Thread, total: int) -> tuple[tuple[bool, ...], int]:
    """Which messages are here for the first time, and how many of them belong to the conversation (`total` do). Prompts
    and tool definitions count once per conversation; other fields of a request always."""
    if thread.first:
        return (True,) * len(turn.messages), total
    new: list[bool] = []
    count = 0
    sent = iter(thread.sent)
    for place, message in enumerate(turn.messages):
        if message.history is None:
            new.append(message.role is Role.USER)
            continue
        new.append(next(sent) not in thread.seen or place >= turn.new_from)
        count += new[-1]
    return tuple(new), count


def _encoded(side: Weighed) -> msgspec.Raw:
    if side.recorded is not None:
        return side.recorded
    if side.screened.found or side.screened.failures or side.screened.unreadable:
        return msgspec.Raw(encode(side.given))
    return _encoded_nothing(side.given)


@lru_cache(maxsize=1_024)
def _encoded_nothing(given: DecisionInput) -> msgspec.Raw:
    return msgspec.Raw(encode(given))


def located(screened: Screened, places: Iterable[int]) -> Spans:
    """Where the findings at these `places` of `screened` stand."""
    spans: dict[tuple[int, int], list[Finding]] = {}
    for place in places:
        finding = screened.findings[place]
        for spot in screened.spots[place]:
            spans.setdefault((spot.message, spot.leaf), []).append(
                Finding(finding.kind, spot.start, spot.end, finding.score, finding.reason)
            )
    return spans


def personal_in(weighed: Weighed, masked: Spans) -> Spans:
    """What must not be kept in clear: every personal finding that a rule acts on, and all never-rest ones. `masked`:
    those of the decision's masks, where they were located; the same ones are given back."""
    actions = weighed.decision.actions
    places = [
        place
        for place, finding in enumerate(weighed.screened.findings)
        if finding.kind in PERSONAL and (actions[place] is not None or finding.kind in NEVER_REST)
    ]
    return masked if masked and tuple(places) == weighed.decision.masks else located(weighed.screened, places)


def _kept(
    messages: tuple[Message, ...], weighed: Weighed | None, draft: Draft, new: tuple[bool, ...] | None
) -> tuple[Said, ...]:
    if weighed is None:
        return ()
    masked = draft.masked if weighed is draft.input else {}
    spans = personal_in(weighed, masked) if weighed.screened.findings else {}
    failed = weighed.screened.failed
    kept: list[Said] = []
    for place, message in enumerate(messages):
        if (new is not None and not new[place]) or not (message.leaves or message.unreadable):
            continue
        if place in failed:
            kept.append(Said(message.role, (), True, message.unreadable))
            continue
        texts = [leaf.text for leaf in message.leaves]
        if spans:
            for index, text in enumerate(texts):
                if (place, index) not in spans:
                    continue
                found, leaf = spans[place, index], message.leaves[index]
                if found is masked.get((place, index)) and leaf.role is message.role is not Role.ASSISTANT:
                    texts[index] = draft.changes.get(leaf, text)  # as the model got it
                else:
                    texts[index] = draft.vault.mask(text, found, message.role)
        kept.append(Said(message.role, tuple(texts), False, message.unreadable))
    return tuple(kept)


def _sides(
    asked: Weighed | None, said: Weighed | None
) -> tuple[Verdict, Verdict | None, tuple[Reason, ...], tuple[str, ...]]:
    if asked is None:
        return Verdict.ALLOW, None, (), ()
    if said is None:
        decision = asked.decision
        return decision.verdict, decision.would_be, decision.reasons, asked.screened.failures
    first, second = asked.decision, said.decision
    failures = asked.screened.failures + said.screened.failures
    if first is second:  # both sides found nothing
        return first.verdict, first.would_be, (), failures
    return *joined(first, second), failures


def _found(weighed: Weighed | None) -> tuple[FoundFact, ...]:
    if weighed is None or not weighed.screened.found:
        return ()
    actions = weighed.decision.actions
    return tuple(
        [
            FoundFact(
                found.kind,
                found.side.value,
                round(found.score, 3),
                weighed.screened.findings[place].reason,
                _name(actions[place]),
                found.message,
                found.new,
            )
            for place, found in enumerate(weighed.screened.found)
        ]
    )


_BY_OUTCOME = {
    Outcome.BLOCKED: Metric.BLOCK, Outcome.HANDOVER: Metric.HANDOVER, Outcome.FAILED: Metric.FAILED,
    Outcome.REFUSED: Metric.FAILED, Outcome.INTERRUPTED: Metric.FAILED,
}  # fmt: skip
_BY_KIND = {Kind.COMPLAINT: Metric.COMPLAINT, Kind.LEGAL: Metric.LEGAL}


def signs(draft: Draft) -> list[str]:
    """What the interaction itself says about its unit: metrics that it makes bad."""
    found = {_BY_OUTCOME[draft.outcome]} if draft.outcome in _BY_OUTCOME else set()
    if draft.input is not None:
        found |= {_BY_KIND[each.kind] for each in draft.input.screened.found if each.new and each.kind in _BY_KIND}
    if draft.output is not None and any(each.kind is Kind.DECLINED for each in draft.output.screened.found):
        found.add(Metric.DECLINED)
    return sorted(each.value for each in found)


def _name(action: FindingAction | None) -> str:
    return action.value if action is not None else ""
