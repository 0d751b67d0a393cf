"""What happened around an incident, from the ledger: one sentence per entry; pure. Notes stand in it for good."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from handrail.console.views.incidents import STATES
from handrail.console.words import N_, Words
from handrail.ledger.commitment import RecordedFacts
from handrail.review.incident import IncidentState
from handrail.terms.actor import ActorKind

LONGEST = 240
"""Characters of what an entry says."""
MOST = 100
"""Rows that are shown."""
LOOKED_AT = 2_000
"""Entries that are read for them."""
SENTENCES = {
    "release.drafted": ("", N_("A release was drafted"), "releases.show"),
    "release.published": ("", N_("A release was published"), "releases.show"),
    "release.tested": ("", N_("A release was tested"), "releases.show"),
    "release.signed_off": ("", N_("Somebody signed a release off"), "releases.show"),
    "release.thawed": ("canary", N_("A canary goes on"), "releases.show"),
    "release.asked": ("hold", N_("An owner has to decide on a release"), "releases.show"),
    "release.retired": ("", N_("A release was retired"), "releases.show"),
    "release.units_forgotten": ("", N_("What a release was judged by was forgotten in time"), "releases.show"),
    "release.started": ("canary", N_("A canary began"), "releases.show"),
    "release.advanced": ("canary", N_("A canary reached more conversations"), "releases.show"),
    "release.frozen": ("hold", N_("A canary stands still"), "releases.show"),
    "release.promoted": ("allow", N_("A release went live for everyone"), "releases.show"),
    "release.live": ("canary", N_("A release is live"), "releases.show"),
    "release.rolled_back": ("back", N_("A release was rolled back"), "releases.show"),
    "release.still_answering": ("deny", N_("A release answered after it was rolled back"), "releases.show"),
    "stop.set": ("deny", N_("Somebody stopped an AI"), ""),
    "stop.lifted": ("allow", N_("A stop was lifted"), ""),
    "ruleset.published": ("", N_("Rules were published"), ""),
    "alert.raised": ("hold", N_("An alert was raised"), "alerts.show"),
    "alert.acknowledged": ("", N_("An alert was taken"), "alerts.show"),
    "alert.escalated": ("hold", N_("An alert went to the next person"), "alerts.show"),
    "alert.closed": ("allow", N_("An alert was closed"), "alerts.show"),
    "alert.silenced": ("", N_("Alerts were silenced"), ""),
    "baseline.learnt": ("", N_("A new usual range was learnt"), ""),
    "autonomy.demoted": ("hold", N_("Autonomy was lowered"), ""),
    "autonomy.kept": ("", N_("Autonomy stayed lowered"), ""),
    "autonomy.asked": ("", N_("A promotion was asked for"), ""),
    "autonomy.promoted": ("allow", N_("Autonomy was raised again"), ""),
    "autonomy.overridden": ("hold", N_("Autonomy was raised although something was not met"), ""),
}
TOLD = ("sentence", "reason", "said", "title", "metric")
"""Facts of which the first that is there is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`page`: the name of the route that shows more, with `id`; empty: none does. `kind`: of the entry."""

    kind: str
    tone: str
    at_ms: int
    title: str
    said: str
    by: str
    page: str = ""
    id: str = ""


def steps_of(newest_first: Sequence[RecordedFacts], people: Mapping[str, str], words: Words) -> tuple[Step, ...]:
    """The same order. `people`: names by the ids of actors."""
    found = []
    before: dict[str, Any] | None = None
    for entry in reversed(newest_first):
        facts: dict[str, Any] = msgspec.json.decode(entry.facts)
        by = (
            words(N_("handrail"))
            if entry.actor.kind is ActorKind.SYSTEM
            else people.get(entry.actor.id, entry.actor.id)
        )
        if entry.kind.startswith("incident."):
            tone, title, said = _moved(entry.kind, facts, before, words)
            before = facts
            found.append(Step(kind=entry.kind, tone=tone, at_ms=entry.at_ms, title=title, said=said, by=by))
            continue
        tone, sentence, page = SENTENCES.get(entry.kind, ("", "", ""))
        said = next((str(facts[name]) for name in TOLD if facts.get(name)), "")
        if entry.kind == "alert.acknowledged" and facts.get("note"):
            said = str(facts["note"])
        found.append(
            Step(
                kind=entry.kind, tone=tone, at_ms=entry.at_ms, title=words(sentence) if sentence else entry.kind,
                said=short(said), by=by, page=page,
                id=(str(entry.release or "") if page == "releases.show" else entry.about) if page else "",
            )
        )  # fmt: skip
    return tuple(reversed(found))


def last_by(steps: Iterable[Step]) -> Step | None:
    """The latest change of the incident itself."""
    return next((one for one in steps if one.kind.startswith("incident.")), None)


def short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _moved(kind: str, facts: Mapping[str, Any], before: Mapping[str, Any] | None, words: Words) -> tuple[str, str, str]:
    """Tone, title and text of a change, told by what differs from the one before."""
    said = short(str(facts.get("said", "")))
    if kind == "incident.opened":
        return "deny", words(N_("The incident was opened")), said
    state = str(facts.get("state", ""))
    if kind == "incident.closed":
        test = facts.get("test") or ""
        why = facts.get("no_test") or ""
        return "allow", words(N_("The incident was closed")), (
            words(N_("Its test: {test}"), test=test)
            if test else words(N_("No test can catch it: {why}"), why=short(why))
        )  # fmt: skip
    if before is not None and before.get("state") != state and state in set(IncidentState):
        tone, _, name = STATES[IncidentState(state)]
        return tone, words(N_("It is now: {state}"), state=words(name)), said
    if before is not None and before.get("severity") != facts.get("severity"):
        values = {"before": before.get("severity"), "after": facts.get("severity")}
        if before.get("owner") != facts.get("owner"):
            owner = facts.get("owner") or words(N_("nobody"))
            said = f"{words(N_('Its owner is now {owner}'), owner=owner)}. {said}".strip()
        return "hold", words(N_("Severity {before} became {after}"), **values), said
    if before is not None and before.get("owner") != facts.get("owner"):
        return "", words(N_("Its owner is now {owner}"), owner=facts.get("owner") or words(N_("nobody"))), said
    if before is not None and (before.get("test"), before.get("no_test")) != (facts.get("test"), facts.get("no_test")):
        return "", words(N_("Another test was named")), said
    return "", words(N_("Written down")) if said else words(N_("Changed")), said
