"""What is written down of one interaction: facts without personal data, and the sealed payload.

The payload holds the masked texts of the new messages and of the answer, the token map (it is encrypted with the
subject's key like the rest), the customer's id, and the canonical input of each decision, from which `policy.evaluate`
decides again. Never-rest values are gone before anything gets here; a text that was not fully read is left out.
"""

from functools import lru_cache

import msgspec

from handrail.guard.caller import Caller
from handrail.guard.masking import Vault
from handrail.guard.ports import Thread
from handrail.guard.screen import Screened
from handrail.guard.turn import Message, Turn, Usage
from handrail.ledger.entry import Entry, EntryKind, FoundFact, InteractionFacts
from handrail.policy.evaluate import Decision, DecisionInput, encode, joined
from handrail.policy.ruleset import FindingAction
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Outcome, Reason, Verdict
from handrail.terms.finding import NEVER_REST, PERSONAL, Finding, Role
from handrail.terms.ids import Digest, EntryId, InteractionId


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
    """One side, read and decided."""

    screened: Screened
    given: DecisionInput
    decision: Decision


class Draft:
    """One interaction while it happens. Fields are filled in as they become known; `facts` can be taken at any time."""

    __slots__ = (
        "answer", "attempts", "call_tools", "caller", "channel", "cost", "counted", "error", "first_byte_ms", "id",
        "input", "model", "noted", "outcome", "output", "prompt_digest", "provider", "recorded", "started",
        "started_ms", "status", "thread", "turn", "upstream_ms", "usage", "vault", "what_is_new",
    )  # fmt: skip

    def __init__(
        self,
        interaction: InteractionId,
        caller: Caller,
        turn: Turn,
        thread: Thread,
        vault: Vault,
        started: float,
        started_ms: int,
    ) -> None:
        self.id = interaction
        self.caller = caller
        self.turn = turn
        self.thread = thread
        self.vault = vault
        self.started = started
        self.started_ms = started_ms
        self.channel = turn.channel if turn.channel in caller.use_case.channels else ""
        self.recorded = False  # its full entry was handed to the journal; there is never a second one
        self.counted = False  # tokens and cost are known, or estimated, and charged
        self.what_is_new: tuple[bool, ...] = ()
        self.input: Weighed | None = None
        self.output: Weighed | None = None
        self.answer: tuple[Message, ...] = ()
        self.prompt_digest: Digest | None = None
        self.provider = ""
        self.model = ""
        self.attempts = 0
        self.call_tools = 0
        self.usage = Usage()  # estimated where the provider did not say
        self.cost = 0
        self.upstream_ms = 0
        self.first_byte_ms = 0
        self.noted: tuple[Reason, ...] = ()  # refusals that observe mode let pass
        self.outcome: Outcome | None = None
        self.status = 0
        self.error = ""

    def facts(self, now: float) -> InteractionFacts:
        """Everything known so far. `now`: monotonic seconds."""
        turn, caller, thread = self.turn, self.caller, self.thread
        asked, said = self.input, self.output
        verdict, would_be, reasons, failures = _sides(asked, said)
        new = total = 0
        for message, is_new in zip(turn.messages, self.what_is_new, strict=False):
            if message.history is not None:
                total += 1
                new += is_new
        return InteractionFacts(
            interaction=self.id,
            conversation=thread.conversation,
            use_case=caller.use_case.id,
            key=caller.key.id,
            agent=caller.key.agent,
            route=turn.route,
            channel=self.channel,
            language=asked.screened.language if asked else "",
            stream=turn.stream,
            first=thread.first,
            unlinked=thread.unlinked,
            release=caller.live.digest,
            provider=self.provider,
            model=self.model,
            prompt_digest=self.prompt_digest,
            verdict=verdict,
            would_be=would_be,
            outcome=self.outcome,
            reasons=reasons + self.noted,
            findings=_found(asked) + _found(said),
            failures=failures,
            status=self.status,
            error=self.error,
            messages_new=new,
            messages_total=total,
            tool_calls=self.call_tools,
            untrusted=bool(asked and asked.decision.untrusted),
            input_tokens=self.usage.input_tokens,
            output_tokens=self.usage.output_tokens,
            cost_micro_minor=self.cost,
            latency_ms=int((now - self.started) * 1000),
            first_byte_ms=self.first_byte_ms,
            upstream_ms=self.upstream_ms,
            attempts=self.attempts,
            trace=turn.trace,
            knowledge_root=caller.live.release.knowledge_root,
        )

    def opened(self, entry: EntryId, at_ms: int) -> Entry:
        """Queued before the model is called: what says that it began; the rest follows in the full entry."""
        turn, caller, thread = self.turn, self.caller, self.thread
        facts = InteractionFacts(
            interaction=self.id,
            conversation=thread.conversation,
            use_case=caller.use_case.id,
            key=caller.key.id,
            agent=caller.key.agent,
            route=turn.route,
            channel=self.channel,
            stream=turn.stream,
            first=thread.first,
            unlinked=thread.unlinked,
            release=caller.live.digest,
            verdict=self.input.decision.verdict if self.input else Verdict.ALLOW,
            trace=turn.trace,
        )
        return self._entry(entry, EntryKind.INTERACTION_OPENED, at_ms, facts, None)

    def closed(self, entry: EntryId, at_ms: int, now: float) -> Entry:
        """The full entry."""
        return self._entry(entry, EntryKind.INTERACTION_CLOSED, at_ms, self.facts(now), self.payload())

    def disclosed(self, entry: EntryId, at_ms: int) -> Entry:
        """That the first interaction carried the disclosure."""
        language = self.input.screened.language if self.input else ""
        facts = DisclosureFacts(version=self.caller.use_case.disclosure.version, language=language)
        return self._entry(entry, EntryKind.DISCLOSURE_RECORDED, at_ms, facts, None)

    def payload(self) -> bytes:
        """JSON."""
        messages = _kept(self.turn.messages, self.input, self.vault, self.what_is_new)
        answer = _kept(self.answer, self.output, self.vault, None)
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
            actor=Actor(ActorKind.KEY, self.caller.key.id),
            facts=facts,
            use_case=self.caller.use_case.id,
            conversation=self.thread.conversation,
            interaction=self.id,
            subject=self.thread.subject.id,
            payload=payload,
            ruleset=self.caller.ruleset,
            release=self.caller.live.digest,
        )


def _encoded(side: Weighed) -> msgspec.Raw:
    if side.screened.found or side.screened.failures or side.screened.unreadable:
        return msgspec.Raw(encode(side.given))
    return _encoded_nothing(side.given)


@lru_cache(maxsize=1_024)
def _encoded_nothing(given: DecisionInput) -> msgspec.Raw:
    return msgspec.Raw(encode(given))


def personal_in(weighed: Weighed) -> dict[tuple[int, int], list[Finding]]:
    """What must not be kept in clear, by (message, leaf): every personal finding that a rule acts on, and all
    never-rest ones. Findings are in the leaf's own offsets."""
    spans: dict[tuple[int, int], list[Finding]] = {}
    for place, finding in enumerate(weighed.screened.findings):
        if finding.kind in PERSONAL and (weighed.decision.actions[place] is not None or finding.kind in NEVER_REST):
            for spot in weighed.screened.spots[place]:
                spans.setdefault((spot.message, spot.leaf), []).append(
                    Finding(finding.kind, spot.start, spot.end, finding.score, finding.reason)
                )
    return spans


def _kept(
    messages: tuple[Message, ...], weighed: Weighed | None, vault: Vault, new: tuple[bool, ...] | None
) -> tuple[Said, ...]:
    if weighed is None:
        return ()
    spans = personal_in(weighed) if weighed.screened.findings else {}
    failed = weighed.screened.failed
    kept: list[Said] = []
    for place, message in enumerate(messages):
        if new is not None and not new[place]:
            continue
        if not message.leaves and not message.unreadable:
            continue
        if place in failed:
            kept.append(Said(message.role, (), True, message.unreadable))
            continue
        if not spans:
            kept.append(Said(message.role, tuple([leaf.text for leaf in message.leaves]), False, message.unreadable))
            continue
        texts = tuple(
            [
                vault.mask(leaf.text, spans[place, index], message.role) if (place, index) in spans else leaf.text
                for index, leaf in enumerate(message.leaves)
            ]
        )
        kept.append(Said(message.role, texts, False, message.unreadable))
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
    from_both = joined(first, second)
    return from_both.verdict, from_both.would_be, from_both.reasons, failures


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


def _name(action: FindingAction | None) -> str:
    return action.value if action is not None else ""
