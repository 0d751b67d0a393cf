"""The moves of a release as the ledger has them, newest first, a sentence each; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from handrail.console.views.frame import ROLE_NAMES
from handrail.console.views.releases_words import why_said
from handrail.console.words import N_, Words
from handrail.ledger.commitment import RecordedFacts, read_facts
from handrail.terms.actor import ActorKind

MOST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """`english`: what is said is the ledger's own sentence, which has one language."""

    tone: str
    at_ms: int
    title: str
    said: str
    by: str
    entry: str
    english: bool = False


class _Facts(msgspec.Struct, frozen=True):
    share: float = 0.0
    stage: int = 0
    role: str = ""
    passed: int = 0
    failed: int = 0
    why: str = ""
    sentence: str = ""
    late: int = 0
    units: int = 0
    safety: bool = False


TITLES = {
    "release.published": ("", N_("Published")),
    "release.live": ("allow", N_("Live again")),
    "release.drafted": ("", N_("Drafted")),
    "release.tested": ("acc", N_("Tests were run")),
    "release.signed_off": ("allow", N_("Signed off")),
    "release.started": ("canary", N_("Canary started at {share}")),
    "release.advanced": ("canary", N_("Canary raised to {share}")),
    "release.frozen": ("hold", N_("Ramp held")),
    "release.thawed": ("canary", N_("Let go on")),
    "release.asked": ("hold", N_("Its owner was asked")),
    "release.promoted": ("allow", N_("Live for everyone")),
    "release.rolled_back": ("back", N_("Rolled back")),
    "release.retired": ("", N_("Retired")),
    "release.still_answering": ("deny", N_("Answered after it was rolled back")),
    "release.units_forgotten": ("", N_("Its units were deleted after their time")),
}
SYSTEMS = {
    "judge": N_("the rule"), "operator": N_("the operator of the machine"), "restore": N_("a restore"),
}  # fmt: skip


def timeline(entries: Iterable[bytes], names: Mapping[str, str], words: Words) -> tuple[tuple[Moment, ...], int]:
    """Those that fit, and how many are left out. `names`: of persons."""
    found = [_moment(read_facts(one), names, words) for one in entries]
    return tuple(found[:MOST]), max(0, len(found) - MOST)


def _moment(entry: RecordedFacts, names: Mapping[str, str], words: Words) -> Moment:
    facts = msgspec.json.decode(entry.facts, type=_Facts)
    tone, title = TITLES.get(entry.kind, ("", entry.kind))
    if entry.kind == "release.tested" and facts.failed:
        tone = "deny"
    share = words.percent(facts.share, 0 if facts.share >= 0.01 else 1)
    return Moment(
        tone=tone, at_ms=entry.at_ms, title=words(title, share=share), said=_said(entry, facts, words),
        by=actor_name(entry.actor.kind, entry.actor.id, names, words), entry=entry.id,
        english=words.language != "en" and bool(facts.sentence),
    )  # fmt: skip


def author_name(who: str, names: Mapping[str, str], words: Words) -> str:
    """Of a draft, whose author is a person's id or the name of a part of the system."""
    return names.get(who) or actor_name(ActorKind.SYSTEM, who, names, words)


def actor_name(kind: ActorKind, who: str, names: Mapping[str, str], words: Words) -> str:
    if kind is ActorKind.SYSTEM:
        return words(SYSTEMS[who]) if who in SYSTEMS else who
    return names.get(who, who)


def _said(entry: RecordedFacts, facts: _Facts, words: Words) -> str:
    match entry.kind:
        case "release.tested":
            return words(
                N_("{passed} passed, {failed} failed."), passed=words.number(facts.passed),
                failed=words.number(facts.failed),
            )  # fmt: skip
        case "release.signed_off":
            return words(N_("For the role {role}."), role=words(ROLE_NAMES.get(facts.role, facts.role)))
        case "release.still_answering":
            return words.plural("{n} interaction.", "{n} interactions.", facts.late)
        case "release.units_forgotten":
            return words.plural("{n} unit.", "{n} units.", facts.units)
        case "release.rolled_back" if not facts.sentence:
            ends = N_("Running conversations left it.") if facts.safety else N_("Running conversations ended on it.")
            return f"{_why(facts, words)} {words(ends)}".strip()
        case _:
            return facts.sentence or _why(facts, words)


def _why(facts: _Facts, words: Words) -> str:
    said = why_said(facts.why, words)
    return f"{said[:1].upper()}{said[1:]}." if said else ""
