"""Why a case waits, how far it reaches, whether it can be undone, and what speaks for it; pure."""

from collections import Counter
from dataclasses import dataclass

import msgspec

from handrail.approvals.lifecycle import State
from handrail.approvals.view import CaseView
from handrail.console.words import N_, Words
from handrail.policy.explain_action import built_in
from handrail.terms.decision import Verdict

BUILT_IN = (
    N_("A rule could not be answered for this call"),
    N_("A rule speaks of what was never read, so nobody can say that it does not match"),
    N_("The doubts together are enough to hold it"),
    N_("It would go over a limit"),
    N_("What a limit still holds could not be told"),
    N_("It would have to wait for a person, and of this limit no more may wait now"),
    N_("A stop is in force"),
    N_("The tool is not registered for this use case"),
    N_("The target announces something else than what was published"),
    N_("An argument does not fit the tool's schema"),
    N_("The amount could not be read"),
    N_("Two rules change an argument to different values"),
    N_("No customer session stands behind it"),
    N_("It is not known that this belongs to the verified customer"),
    N_("No conversation is linked to it"),
    N_("The customer said no to it"),
    N_("The customer did not put every value of it into words"),
    N_("The customer agreed to something else"),
    N_("The customer neither asked for it nor agreed to it"),
    N_("A value comes only from what outsiders wrote"),
    N_("A value comes from nowhere in the conversation"),
    N_("The record says something else"),
    N_("What it rests on holds instructions of an outsider"),
    N_("A detector did not answer"),
    N_("At this level the agent only reads"),
    N_("At this level the agent drafts, and a person acts"),
    N_("At this level each such action waits for a person"),
    N_("No limit covers it, and no rule allows it without one"),
    N_("The level was lowered; see handrail autonomy show"),
    N_("The use case has no level for this type of action"),
)
"""Sentences of `policy.explain_action`, marked here for the catalogues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """`text`: the rule's own sentence. `small`: where it stands, its version, who wrote it."""

    text: str
    small: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    title: str
    value: str
    tone: str
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`tone`: ok, warn or bad."""

    tone: str
    icon: str
    text: str


AGREED = {
    "asked": ("ok", N_("The customer asked for this, with these values")),
    "confirmed": ("ok", N_("The customer was told what happens and said yes")),
    "partly": ("warn", N_("The customer did not put every value of it into words")),
    "other": ("bad", N_("The customer agreed to something else")),
    "refused": ("bad", N_("The customer said no to it")),
    "nothing": ("bad", N_("The customer neither asked for it nor agreed to it")),
    "unknown": ("warn", N_("No conversation is linked, so nobody knows what the customer said")),
}
ORIGINS = {
    "verified": ("ok", N_("{path} is a verified fact")),
    "record": ("ok", N_("{path} stands in the customer's own record")),
    "customer": ("ok", N_("{path} comes from the customer's own words")),
    "untrusted": ("bad", N_("{path} comes only from what outsiders wrote")),
    "unknown": ("warn", N_("{path} comes from nowhere in the conversation")),
    "contradicted": ("bad", N_("{path} is something else in the record")),
}
VOUCHED = {
    "verified": N_("verified"), "claimed": N_("as the customer says"), "said": N_("as the agent says"),
}  # fmt: skip
SHOWN, LONGEST_FACT = 8, 200
ICONS = {"ok": "check", "warn": "alert", "bad": "x"}
UNDONE = {
    "free": N_("At any time"), "window": N_("For {time} after it is done"), "compensable": N_("By a contrary booking"),
    "none": N_("No"),
}  # fmt: skip
UNDONE_SAID = {
    "free": N_("Nothing is lost by undoing it."), "window": N_("Later it stays."),
    "compensable": N_("Both stay in the books."), "none": N_("Once done it stays."),
}  # fmt: skip


def why_of(case: CaseView, words: Words) -> tuple[Why, ...]:
    """Why it waits. A rule that allows it is no reason to hold it; it speaks for it (`checks_of`)."""
    version = (case.ruleset or "")[:8]
    found = []
    for why in case.why:
        if why.verdict is Verdict.ALLOW:
            continue
        text = _begun(why.words) or words(built_in(why.code)) or why.code
        parts = [why.place or words(N_("built in"))]
        if version:
            parts.append(words(N_("rules {version}"), version=version))
        if why.author:
            parts.append(words(N_("written by {name}"), name=why.author))
        if why.side:
            parts.append(why.side)
        found.append(Why(text=text if text.endswith(".") else f"{text}.", small=" · ".join(parts)))
    return tuple(found)


def facts_of(case: CaseView, words: Words) -> tuple[Fact, ...]:
    return _reach(case, words), _undone(case, words), _past(case, words)


def _reach(case: CaseView, words: Words) -> Fact:
    moved = words.money(case.amount_minor, case.currency) if case.amount_minor is not None else words(N_("No money"))
    said = []
    for use in case.blast.uses:
        used, most = (
            words.money(n, use.currency) if use.currency else words.number(n) for n in (use.used, use.at_most)
        )
        said.append(
            words(N_("Limit {limit}: {used} of {most}, this one counted"), limit=use.limit, used=used, most=most)
        )
    if case.blast.outbound:
        said.append(words(N_("It carries something to the outside.")))
    where = case.blast.system
    if where:
        said.append(words(N_("Done in {system}."), system=where))
    value = words(N_("{amount}, one customer"), amount=moved) if case.customer else moved
    return Fact(title=words(N_("How far it reaches")), value=value, tone="", said=tuple(said))


def _undone(case: CaseView, words: Words) -> Fact:
    kind = case.reversibility if case.reversibility in UNDONE else "none"
    span = words.lasting(1_000 * case.undo_until_s) if case.undo_until_s is not None else ""
    if kind == "window" and not span:
        kind = "none"
    said = [words(UNDONE_SAID[kind])]
    if case.leaves_after_s:
        said.append(words(N_("It leaves {time} after the approval; until then it can be taken back."),
                          time=words.lasting(1_000 * case.leaves_after_s)))  # fmt: skip
    return Fact(
        title=words(N_("Can it be undone?")), value=words(UNDONE[kind], time=span),
        tone="warn" if kind in ("none", "window") else "", said=tuple(said),
    )  # fmt: skip


def _past(case: CaseView, words: Words) -> Fact:
    """Of the register: the newest that ended, so a count is at least that many."""
    kinds = Counter(one.state for one in case.past)
    yes = kinds[State.DONE] + kinds[State.FAILED] + kinds[State.UNKNOWN] + kinds[State.LAPSED]
    if not case.past:
        said: tuple[str, ...] = (words(N_("None of the same tool and use case ended lately.")),)
        return Fact(title=words(N_("Similar past requests")), value=words(N_("None yet")), tone="", said=said)
    text = words(
        N_("{yes} approved, {no} denied, {late} not decided in time"), yes=words.number(yes),
        no=words.number(kinds[State.DENIED]), late=words.number(kinds[State.EXPIRED]),
    )  # fmt: skip
    newest = words(N_("The last one came {ago}."), ago=words.ago(case.past[0].at_ms))
    return Fact(
        title=words(N_("Similar past requests")),
        value=words.plural("{n} lately", "{n} lately", len(case.past)), tone="", said=(text, newest),
    )  # fmt: skip


def checks_of(case: CaseView, words: Words) -> tuple[Check, ...]:
    """What the customer said, where each value came from, and the facts that the decision rested on."""
    tone, text = AGREED.get(case.agreed, AGREED["unknown"])
    found = [Check(tone=tone, icon=ICONS[tone], text=words(text))]
    for value in case.values:
        tone, text = ORIGINS.get(value.origin, ORIGINS["unknown"])
        found.append(Check(tone=tone, icon=ICONS[tone], text=words(text, path=value.path)))
    for why in case.why:
        if why.verdict is Verdict.ALLOW and why.words:
            found.append(Check(tone="ok", icon="check", text=_begun(why.words)))
    told = [check for plain, check in _facts(case, words) if not plain]
    return (*found, *told[:SHOWN])


def more_of(case: CaseView, words: Words) -> tuple[Check, ...]:
    """The facts that `checks_of` leaves out: what goes without saying, and what is more than a person reads at once."""
    facts = _facts(case, words)
    told = [check for plain, check in facts if not plain]
    return (*told[SHOWN:], *(check for plain, check in facts if plain))


def _facts(case: CaseView, words: Words) -> list[tuple[bool, Check]]:
    """Each with whether it goes without saying; what the customer said is told in words of its own."""
    found = []
    for key, fact in case.facts.items():
        name, _, by = key.partition(" (")
        if name.startswith("said."):
            continue
        currency = case.amounts.get(key, "")
        vouched = words(VOUCHED[by.rstrip(")")]) if by.rstrip(")") in VOUCHED else by.rstrip(")")
        text = f"{name}: {_value(fact, currency, words)}" + (f" ({vouched})" if vouched else "")
        tone, icon = ("ok", "info") if by.startswith("verified") else ("warn", "info")
        found.append((_plain(name, fact), Check(tone=tone, icon=icon, text=text)))
    return found


def _plain(name: str, fact: object) -> bool:
    end = name.rpartition(".")[2]
    return end == "id" or (fact is True and end in ("known", "distinct")) or (fact == 1 and end == "count")


def _value(fact: object, currency: str, words: Words) -> str:
    if currency and isinstance(fact, int) and not isinstance(fact, bool):
        return words.money(fact, currency)
    if isinstance(fact, bool):
        return words(N_("yes")) if fact else words(N_("no"))
    text = fact if isinstance(fact, str) else msgspec.json.encode(fact).decode()
    return text if len(text) <= LONGEST_FACT else f"{text[: LONGEST_FACT - 1]}…"


def _begun(text: str) -> str:
    """A rule's own words, as a sentence begins."""
    return text[:1].upper() + text[1:]
