"""From what was noticed to what happens: allow, change, hold or deny, with reasons; pure and replayable.

Promise: POL-1, the same recorded input and ruleset give the same decision, anywhere, for ever. The canonical bytes of a
`DecisionInput` stand in the payload of its entry; they hold no customer text.

When this cannot answer, it refuses: a kind without a rule is an error of the caller (`home.compile` gives every kind
one), and a detector that failed or a part that nobody could read leads to what the use case declares, by default a
refusal. Two things hold whatever the home says: never-rest kinds are masked in every mode, and text that was blocked
once stays out of the model's sight when the client sends it again with the history.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from handrail.policy.ruleset import FindingAction, FindingRule, Mode, OnFailure, Ruleset, UseCase, canonical
from handrail.terms.decision import SEVERITY, Outcome, Reason, Verdict
from handrail.terms.errors import Code
from handrail.terms.finding import NEVER_REST, Kind, Role
from handrail.terms.ids import UseCaseId

NEVER_REST_SCORE = 0.5
"""A home may ask for a lower score before a never-rest kind counts, never for a higher one."""

AGAIN_HARMLESS = frozenset(
    {Kind.COMPLAINT, Kind.LEGAL, Kind.VULNERABILITY, Kind.HUMAN, Kind.LEAVE, Kind.UNSEEN_PROMPT, Kind.UNSCREENED}
)
"""Kinds whose text does no harm when it comes again in the history: a person was told once, the talk may go on."""

_ORDER = {kind: place for place, kind in enumerate((Kind.VULNERABILITY, *Kind))}
_ORDER[Kind.VULNERABILITY] = 0
_WEIGHT = {FindingAction.MARK: 0, FindingAction.MASK: 1, FindingAction.BLOCK: 2, FindingAction.HANDOVER: 3}


class Side(StrEnum):
    """Where a finding is: in what goes to the model, or in what it says. In the ledger for good."""

    INPUT = "input"
    OUTPUT = "output"


class Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """One finding as the decision sees it. `role`: who wrote the text. `new`: the message is in this interaction for
    the first time; False for a message of the resent history. `message`: its index, for the reader only."""

    kind: Kind
    side: Side
    role: Role
    score: float
    new: bool = True
    message: int = 0


class Unreadable(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part that no detector can read. `part`: its type in the dialect, such as `image_url`."""

    part: str
    side: Side = Side.INPUT
    new: bool = True


class DecisionInput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything a decision rests on, besides the ruleset. `language`: of the customer's text, ISO 639-1, or empty.
    `failures`: detectors that did not answer, `name:error` or `name:late`."""

    use_case: UseCaseId
    language: str = ""
    found: tuple[Found, ...] = ()
    failures: tuple[str, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happens. `actions` and `masks` speak of `DecisionInput.found` by position.

    `actions`: what the rules say of each finding, in either mode; None = below the rule's score. `masks`: the findings
    to mask in what is passed on (observe: never-rest kinds only). `would_be`, `would_be_outcome`: what enforcing would
    have done, in observe mode only. `sentence`: for BLOCKED and HANDOVER. `error`: for REFUSED. `unscreened`: some
    text was not fully read, whether it passed or not; what is stored must leave it out. `untrusted`: an injection was
    found in what the answer rests on.
    """

    verdict: Verdict
    outcome: Outcome = Outcome.ANSWERED
    reasons: tuple[Reason, ...] = ()
    actions: tuple[FindingAction | None, ...] = ()
    masks: tuple[int, ...] = ()
    sentence: str = ""
    error: Code | None = None
    would_be: Verdict | None = None
    would_be_outcome: Outcome | None = None
    unscreened: bool = False
    untrusted: bool = False


class _Act(msgspec.Struct, frozen=True):
    """What one rule does about one kind at one place, ready to use. `least`: the score it needs. `again`: instead of
    `action`, when the text comes again with the history."""

    action: FindingAction
    again: FindingAction
    least: float
    reason: Reason


def _act(kind: Kind, side: Side, rule: FindingRule) -> _Act:
    action, least = rule.action, rule.min_score
    if kind in NEVER_REST:
        least = min(least, NEVER_REST_SCORE)
        action = FindingAction.MASK if action is FindingAction.MARK else action
    again = action
    if _WEIGHT[action] >= _WEIGHT[FindingAction.BLOCK]:
        again = FindingAction.MARK if kind in AGAIN_HARMLESS else FindingAction.MASK
    return _Act(action, again, least, Reason(f"finding.{kind.value}", rule.rule, side))


class Decided(NamedTuple):
    """A decision, and the canonical bytes of what it rests on."""

    decision: Decision
    recorded: msgspec.Raw


MAX_DECIDED = 1_024
"""Decisions remembered for one use case."""
MOST_FOUND = 16
"""Findings of an input whose decision is remembered."""


_MARKED = {Kind.DECLINED: FindingRule(action=FindingAction.MARK, rule="built-in")}
"""Kinds that rulesets of earlier versions have no rule for, and that do nothing but mark."""


class Rules:
    """The rules of one use case, made ready once per publish and not once per request."""

    __slots__ = ("_acts", "_answers", "_decided", "_input", "_sources", "_stopping", "nothing", "use_case")

    def __init__(self, use_case: UseCase) -> None:
        self.use_case = use_case
        self._input = {**_MARKED, **use_case.findings}
        self._answers = {**_MARKED, **use_case.findings, **use_case.answer_findings}
        self._sources = {**use_case.findings, **use_case.source_findings}
        self._acts: dict[tuple[Side, Role, Kind], _Act] = {}  # as they are asked for; at most one of each
        self._stopping: dict[tuple[Side, Role], frozenset[Kind]] = {}
        self._decided: dict[DecisionInput, Decided] = {}
        observing = use_case.mode is Mode.OBSERVE
        self.nothing = Decision(
            verdict=Verdict.ALLOW,
            would_be=Verdict.ALLOW if observing else None,
            would_be_outcome=Outcome.ANSWERED if observing else None,
        )

    def rule(self, kind: Kind, side: Side, role: Role) -> FindingRule:
        """Raises KeyError for a kind without a rule, which `home.compile` never leaves."""
        if side is Side.OUTPUT:
            return self._answers[kind]
        if role is Role.TOOL or role is Role.DOCUMENT:
            return self._sources[kind]
        return self._input[kind]

    def action(self, found: Found) -> FindingAction | None:
        """What the rules say of one finding; None when its score is below the rule's."""
        act = self._of(found)
        if found.score < act.least:
            return None
        return act.action if found.new else act.again

    def stopping(self, side: Side, role: Role) -> frozenset[Kind]:
        """Kinds that end the answer where they are found: blocked or handed over; none while observing."""
        kinds = self._stopping.get((side, role))
        if kinds is None:
            stops = (FindingAction.BLOCK, FindingAction.HANDOVER)
            enforced = Kind if self.use_case.mode is Mode.ENFORCE else ()
            kinds = frozenset(kind for kind in enforced if self.rule(kind, side, role).action in stops)
            self._stopping[side, role] = kinds
        return kinds

    def decided(self, given: DecisionInput) -> Decided:
        """`decide` and `encode` under these rules. Remembered as long as they are in force, since the same few findings
        come again and again; an input says kinds, scores and places, and nothing of a text or a person. One with parts
        that nobody could read is not: the client names their types, and may send any number of them."""
        decided = self._decided.get(given)
        if decided is None:
            decided = Decided(decide(given, self), msgspec.Raw(encode(given)))
            if len(given.found) <= MOST_FOUND and not given.unreadable:
                if len(self._decided) >= MAX_DECIDED:
                    self._decided.clear()
                self._decided[given] = decided
        return decided

    def reason(self, found: Found) -> Reason:
        """Why something is done about this finding."""
        return self._of(found).reason

    def _of(self, found: Found) -> _Act:
        place = (found.side, found.role, found.kind)
        act = self._acts.get(place)
        if act is None:
            rule = self.rule(found.kind, found.side, found.role)
            act = self._acts[place] = _act(found.kind, found.side, rule)
        return act


def rules_of(ruleset: Ruleset) -> dict[UseCaseId, Rules]:
    """One `Rules` per use case."""
    return {name: Rules(use_case) for name, use_case in ruleset.use_cases.items()}


def decide(given: DecisionInput, rules: Rules) -> Decision:
    """The decision for one side of an interaction, or both.

    Hand-over wins over block, block over a refusal: all three keep the model and the customer apart, and a person who
    is told, or the declared sentence, helps more than an error.
    """
    if not (given.found or given.failures or given.unreadable):
        return rules.nothing
    actions = tuple([rules.action(found) for found in given.found])
    refusals, marks = _gaps(given, rules.use_case) if given.failures or given.unreadable else ((), ())
    worst = _worst(given.found, actions)
    enforced = _verdict(actions, refused=bool(refusals))
    outcome = _outcome(worst, actions, refused=bool(refusals))
    reasons = (*_reasons(given.found, actions, rules), *refusals, *marks)
    untrusted = _untrusted(given.found, actions)
    if rules.use_case.mode is Mode.OBSERVE:
        masks = _masks(given.found, actions, never_rest_only=True)
        return Decision(
            verdict=Verdict.CHANGE if masks else Verdict.ALLOW,
            reasons=reasons,
            actions=actions,
            masks=masks,
            would_be=enforced,
            would_be_outcome=outcome,
            unscreened=bool(given.failures or given.unreadable),
            untrusted=untrusted,
        )
    return Decision(
        verdict=enforced,
        outcome=outcome,
        reasons=reasons,
        actions=actions,
        masks=_masks(given.found, actions, never_rest_only=False),
        sentence=_sentence(given, rules, worst) if outcome in (Outcome.BLOCKED, Outcome.HANDOVER) else "",
        error=Code(refusals[0].code) if outcome is Outcome.REFUSED else None,
        unscreened=bool(given.failures or given.unreadable),
        untrusted=untrusted,
    )


def sentence_for(sentences: dict[str, str], language: str) -> str:
    """`de-CH`, then `de`, then `*`; empty when none of them is declared."""
    return sentences.get(language) or sentences.get(language.partition("-")[0]) or sentences.get("*", "")


def handover_for(use_case: UseCase, language: str) -> str:
    """What the use case says when a person takes over, else when it blocks; empty when no rule of it says anything."""
    for action in (FindingAction.HANDOVER, FindingAction.BLOCK):
        for rule in use_case.findings.values():
            if rule.action is action and rule.sentences:
                return sentence_for(rule.sentences, language)
    return ""


def joined(first: Decision, second: Decision) -> tuple[Verdict, Verdict | None, tuple[Reason, ...]]:
    """Verdict, what enforcing would have said (observe mode), and reasons of an interaction whose sides were decided
    apart: the heavier ones, the first at equal weight."""
    verdict = second.verdict if SEVERITY[second.verdict] > SEVERITY[first.verdict] else first.verdict
    would_be = first.would_be
    if would_be is None or (second.would_be is not None and SEVERITY[second.would_be] > SEVERITY[would_be]):
        would_be = second.would_be
    return verdict, would_be, first.reasons + second.reasons


def encode(given: DecisionInput) -> bytes:
    """Canonical bytes for the payload."""
    return canonical(given)


def replay(data: bytes, ruleset: Ruleset) -> Decision:
    """Decide again from recorded bytes. Raises msgspec.DecodeError for foreign bytes, KeyError for a use case that the
    ruleset does not hold."""
    given = _DECODER.decode(data)
    return decide(given, Rules(ruleset.use_cases[given.use_case]))


_DECODER = msgspec.json.Decoder(DecisionInput)


def _gaps(given: DecisionInput, use_case: UseCase) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
    """What was not screened: reasons to refuse, and reasons that only mark."""
    failed = _distinct(
        Reason(Code.GUARD_LATE if failure.endswith(":late") else Code.GUARD_UNAVAILABLE, "", "")
        for failure in given.failures
    )
    unread = _distinct(Reason(Code.PART_UNREADABLE, "", part.side) for part in given.unreadable)
    refusals: tuple[Reason, ...] = ()
    marks: tuple[Reason, ...] = ()
    for reasons, policy in ((failed, use_case.on_detector_failure), (unread, use_case.on_unreadable_part)):
        if policy is OnFailure.REFUSE:
            refusals += reasons
        else:
            marks += reasons
    return refusals, marks


def _worst(found: Sequence[Found], actions: Sequence[FindingAction | None]) -> int | None:
    """Position of the finding whose sentence is spoken: the heaviest action, then the kind's order."""
    if FindingAction.BLOCK not in actions and FindingAction.HANDOVER not in actions:
        return None
    stopping = [
        (-_WEIGHT[action], _ORDER[found[place].kind], found[place].side, place)
        for place, action in enumerate(actions)
        if action is FindingAction.BLOCK or action is FindingAction.HANDOVER
    ]
    return min(stopping)[-1]


def _untrusted(found: Sequence[Found], actions: Sequence[FindingAction | None]) -> bool:
    for item, action in zip(found, actions, strict=True):
        if item.kind is Kind.INJECTION and item.side is Side.INPUT and action is not None:
            return True
    return False


def _verdict(actions: Sequence[FindingAction | None], *, refused: bool) -> Verdict:
    if refused or FindingAction.BLOCK in actions or FindingAction.HANDOVER in actions:
        return Verdict.DENY
    return Verdict.CHANGE if FindingAction.MASK in actions else Verdict.ALLOW


def _outcome(worst: int | None, actions: Sequence[FindingAction | None], *, refused: bool) -> Outcome:
    if worst is not None:
        return Outcome.HANDOVER if actions[worst] is FindingAction.HANDOVER else Outcome.BLOCKED
    return Outcome.REFUSED if refused else Outcome.ANSWERED


def _reasons(found: Sequence[Found], actions: Sequence[FindingAction | None], rules: Rules) -> tuple[Reason, ...]:
    """One per kind, side and rule that did more than mark, the weightiest first."""
    acted = [
        (-_WEIGHT[action], _ORDER[item.kind], item.side, item.role, place)
        for place, (item, action) in enumerate(zip(found, actions, strict=True))
        if action is not None and action is not FindingAction.MARK
    ]
    acted.sort()
    return _distinct([rules.reason(found[row[-1]]) for row in acted])


def _masks(
    found: Sequence[Found], actions: Sequence[FindingAction | None], *, never_rest_only: bool
) -> tuple[int, ...]:
    """Never-rest kinds are masked whatever else happens, since a blocked text is stored too."""
    return tuple(
        [
            place
            for place, action in enumerate(actions)
            if action is not None
            and (found[place].kind in NEVER_REST or (action is FindingAction.MASK and not never_rest_only))
        ]
    )


def _sentence(given: DecisionInput, rules: Rules, worst: int | None) -> str:
    if worst is None:
        return ""
    item = given.found[worst]
    return sentence_for(rules.rule(item.kind, item.side, item.role).sentences, given.language)


def _distinct(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reasons))
