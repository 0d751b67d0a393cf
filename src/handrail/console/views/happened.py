"""What the net did, one sentence per entry that a person should know of; pure. Nothing personal stands in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from handrail.console.words import N_, Words
from handrail.ledger.commitment import RecordedFacts
from handrail.ledger.entry import EntryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """`page`: the name of the route that shows more, with `id`; empty: none does."""

    tone: str
    at_ms: int
    title: str
    said: str
    page: str = ""
    id: str = ""


class _Facts(msgspec.Struct, frozen=True):
    """What is read of the facts of many kinds."""

    tool: str = ""
    verdict: str | None = None
    amount_minor: int | None = None
    currency: str = ""
    sentence: str = ""
    title: str = ""
    action: str = ""
    incident: str = ""
    reason: str = ""


class _StopFacts(msgspec.Struct, frozen=True):
    """`value`: what was stopped; empty for everything."""

    value: str = ""


SENTENCES: dict[EntryKind, tuple[str, str, str]] = {
    EntryKind.RELEASE_ROLLED_BACK: ("back", N_("A release of {use_case} was rolled back"), "releases.show"),
    EntryKind.RELEASE_PROMOTED: ("allow", N_("A release of {use_case} went live for everyone"), "releases.show"),
    EntryKind.RELEASE_STARTED: ("canary", N_("A canary of {use_case} began"), "releases.show"),
    EntryKind.RELEASE_FROZEN: ("hold", N_("A canary of {use_case} stands still"), "releases.show"),
    EntryKind.RELEASE_LIVE: ("canary", N_("A release of {use_case} is live"), "releases.show"),
    EntryKind.ACTION_DENIED: ("deny", N_("A person denied {tool} of {use_case}"), "approvals.show"),
    EntryKind.ACTION_APPROVED: ("allow", N_("A person approved {tool} of {use_case}"), "approvals.show"),
    EntryKind.ACTION_EXPIRED: ("off", N_("Nobody decided {tool} of {use_case} in time"), "approvals.show"),
    EntryKind.ACTION_UNKNOWN: ("deny", N_("Nobody can tell how {tool} of {use_case} ended"), "approvals.show"),
    EntryKind.STOP_SET: ("deny", N_("Somebody stopped an AI"), "stop"),
    EntryKind.STOP_LIFTED: ("allow", N_("A stop was lifted"), "stop"),
    EntryKind.RULESET_PUBLISHED: ("off", N_("Rules were published"), ""),
}
DECIDED = {
    "hold": ("hold", N_("{tool} of {use_case} was held for a person")),
    "deny": ("deny", N_("{tool} of {use_case} was denied")),
}
KINDS = (
    *SENTENCES,
    EntryKind.ACTION_DECIDED,
    *(k for k in EntryKind if k.value in ("incident.opened", "alert.raised")),
)
LONGEST = 160


def shortened(text: str, most: int = LONGEST) -> str:
    """The sentences at its beginning that fit, else its first letters."""
    if len(text) <= most:
        return text
    end = text.rfind(". ", 0, most)
    return text[: end + 1] if end > 0 else text[: most - 1] + "…"


def happened(
    entries: Sequence[RecordedFacts], names: Mapping[str, str], words: Words, *, most: int, limit: int,
    tools: Mapping[str, str],
) -> tuple[tuple[Happened, ...], bool]:  # fmt: skip
    """The newest `most`, and whether there was more today. `entries`: newest first, at most `limit`: where they are as
    many, the oldest of their hours is not counted to its end. `names`: of use cases; `tools`: their titles. Equal
    sentences of one hour are told once, with how often."""
    cut = len(entries) >= limit
    begun_h = entries[-1].at_ms // 3_600_000 if cut and entries else -1
    found: list[Happened] = []
    times: dict[tuple[str, int], int] = {}
    for entry in entries:
        one = _one(entry, names, tools, words)
        if one is None:
            continue
        key = (one.title, one.at_ms // 3_600_000)
        if key not in times and len(found) < most:
            found.append(one)
        times[key] = times.get(key, 0) + 1
    told = tuple(
        _counted(one, times[one.title, one.at_ms // 3_600_000], words, least=one.at_ms // 3_600_000 == begun_h)
        for one in found
    )  # fmt: skip
    return told, cut or len(times) > len(found)


def _counted(one: Happened, times: int, words: Words, *, least: bool) -> Happened:
    """`least`: it may have been more often."""
    if times == 1:
        return one
    text = N_("{n} times or more within the hour; this is the latest.") if least else N_(
        "{n} times within the hour; this is the latest."
    )  # fmt: skip
    often = words(text, n=words.number(times))
    return Happened(
        tone=one.tone, at_ms=one.at_ms, title=one.title, said=f"{often} {one.said}".strip(), page=one.page, id=one.id
    )


def _one(entry: RecordedFacts, names: Mapping[str, str], tools: Mapping[str, str], words: Words) -> Happened | None:
    facts = msgspec.json.decode(entry.facts, type=_Facts)
    kind = EntryKind(entry.kind) if entry.kind in EntryKind.__members__.values() else None
    values = {
        "use_case": names.get(entry.use_case or "", entry.use_case or ""),
        "tool": tools.get(facts.tool) or facts.tool,
    }
    said = facts.sentence or facts.title or facts.reason
    if facts.amount_minor is not None and facts.currency:
        said = f"{words.money(facts.amount_minor, facts.currency)}. {said}".strip()
    if kind in (EntryKind.STOP_SET, EntryKind.STOP_LIFTED):
        what = msgspec.json.decode(entry.facts, type=_StopFacts).value
        said = f"{names.get(what, what)}: {said}" if what else said
    said = shortened(said)
    about = facts.action or facts.incident or (entry.release or entry.about)
    if kind is EntryKind.ACTION_DECIDED:
        if facts.verdict not in DECIDED:
            return None
        tone, sentence = DECIDED[facts.verdict]
        return Happened(tone=tone, at_ms=entry.at_ms, title=words(sentence, **values), said=said,
                        page="approvals.show", id=about)  # fmt: skip
    if entry.kind == "incident.opened":
        title = words(N_("An incident of {use_case} was opened"), **values)
        return Happened(tone="deny", at_ms=entry.at_ms, title=title, said=said, page="incidents.show", id=about)
    if entry.kind == "alert.raised":
        title = words(N_("An alert of {use_case}"), **values)
        return Happened(tone="hold", at_ms=entry.at_ms, title=title, said=said, page="alerts.show", id=about)
    if kind is None or kind not in SENTENCES:
        return None
    tone, sentence, page = SENTENCES[kind]
    return Happened(tone=tone, at_ms=entry.at_ms, title=words(sentence, **values), said=said, page=page, id=about)
