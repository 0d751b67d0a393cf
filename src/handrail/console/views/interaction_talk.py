"""A conversation as a person reads it: messages with black labels and marked words, actions at their place; pure.

Texts come masked and stay so: a mask becomes the name of its kind. What a detector of today sees in the masked text is
marked; where it sees nothing, a finding leads to the message.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from handrail.approvals.lifecycle import State
from handrail.approvals.store import Line
from handrail.console.views.use_cases_words import KINDS
from handrail.console.words import N_, Words
from handrail.guard.record import Payload, Said
from handrail.ledger.entry import InteractionFacts
from handrail.policy.explain_action import built_in
from handrail.terms.finding import Finding, Kind, Role

LONGEST = 6_000
"""Characters of one message that are shown."""
MASK = re.compile(rf"\[({'|'.join(sorted((kind.value for kind in Kind), key=len, reverse=True))})(_[A-Z2-7]{{8}})?\]")
Marks = Callable[[str, Role, frozenset[Kind]], Sequence[Finding]]
WHO = {
    Role.USER: ("", N_("Customer")), Role.ASSISTANT: ("ai", N_("Agent")), Role.TOOL: ("tl-r", N_("Result of a tool")),
    Role.DOCUMENT: ("tl-r", N_("Document")), Role.SYSTEM: ("sys", N_("Instructions to the agent")),
}  # fmt: skip
STATES = {
    State.HELD: ("hold", N_("Held for a person")), State.APPROVED: ("allow", N_("Approved")),
    State.CLAIMED: ("canary", N_("Running")), State.DONE: ("allow", N_("Allowed, done")),
    State.FAILED: ("deny", N_("Failed, without effect")), State.UNKNOWN: ("deny", N_("Nobody can tell how it ended")),
    State.DENIED: ("deny", N_("Denied")), State.EXPIRED: ("off", N_("Nobody decided in time")),
    State.DRAFTED: ("off", N_("A draft for a person")), State.LAPSED: ("off", N_("Approved, not run in time")),
    State.REVOKED: ("deny", N_("Revoked by a stop")), State.CANCELLED: ("off", N_("Taken back by the agent")),
    State.UNREACHABLE: ("deny", N_("Its target was gone")),
}  # fmt: skip
BY_PERSON = {State.DENIED: N_("A person said no"), State.DONE: N_("A person said yes, done")}
"""Of an action that waited for a person."""
CODES = {"rule": N_("a rule"), "doubt": N_("a doubt")}
"""Reasons that rules give in their own words, which the case has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """`label`: of a mask; empty: `text`, and `tone` where a finding is marked. `finding`: its address on the page."""

    text: str = ""
    label: str = ""
    tone: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing in the conversation. `kind`: message, action, gap. `more`: characters that are not shown."""

    kind: str
    at_ms: int
    anchor: str = ""
    css: str = ""
    who: str = ""
    pieces: tuple[Piece, ...] = ()
    note: str = ""
    folded: bool = False
    id: str = ""
    tool: str = ""
    said: str = ""
    tone: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One interaction of the conversation. `payload`: None where it was not read, or is gone (`missing`)."""

    id: str
    at_ms: int
    facts: InteractionFacts
    payload: Payload | None
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A value that may be revealed. `token`: as it stands in the text."""

    token: str
    label: str


def parts(
    turns: Sequence[Turn], acts: Iterable[Line], words: Words, *, marks: Marks, focus: str
) -> tuple[tuple[Part, ...], dict[int, str]]:  # fmt: skip
    """In order of time; and where each finding of the interaction `focus` is: its place to an address on the page."""
    made: list[tuple[int, int, Part]] = []
    places: dict[int, str] = {}
    for number, turn in enumerate(turns):
        if turn.payload is None:
            made.append((turn.at_ms, number, _gap(turn, words)))
            continue
        spots = _spots(turn, marks) if turn.id == focus else {}
        for at, message in enumerate((*turn.payload.messages, *turn.payload.answer)):
            found = [(place, span) for place, (where, span) in spots.items() if where == at]
            part, known = _message(message, turn, at, found, words)
            places.update(known)
            made.append((turn.at_ms, number, part))
    made += [(act.created_at, len(turns), _action(act, words)) for act in acts]
    made.sort(key=lambda each: (each[0], each[1]))
    return tuple(part for _, _, part in made), places


def masks_of(turn: Turn | None, words: Words) -> tuple[Mask, ...]:
    """Of one interaction, in the order of its text; those that no text has any more are left out."""
    if turn is None or turn.payload is None:
        return ()
    texts = [text for said in (*turn.payload.messages, *turn.payload.answer) for text in said.texts]
    tokens = dict.fromkeys(found[0] for text in texts for found in MASK.finditer(text))
    return tuple(
        Mask(token=token, label=_label(token, words))
        for token in tokens
        if token in turn.payload.tokens
    )  # fmt: skip


def _label(token: str, words: Words) -> str:
    found = MASK.fullmatch(token)
    return words(KINDS[Kind(found[1])]) if found else token


def _message(
    said: Said, turn: Turn, at: int, found: Sequence[tuple[int, Finding | None]], words: Words
) -> tuple[Part, dict[int, str]]:
    css, who = WHO[said.role]
    anchor = f"m-{turn.id}-{at}"
    notes = []
    if said.left_out:
        notes.append(words(N_("It was not fully read when it came, so its words were not kept.")))
    if said.parts:
        notes.append(words(N_("With parts that nobody could read: {parts}."), parts=", ".join(said.parts)))
    whole = "\n".join(said.texts)
    if len(whole) > LONGEST:
        more = len(whole) - LONGEST
        notes.append(words.plural("{n} more character is not shown.", "{n} more characters are not shown.", more))
    spans = sorted(((span, place) for place, span in found if span is not None), key=lambda one: one[0].start)
    part = Part(
        kind="message", at_ms=turn.at_ms, anchor=anchor, css=css, who=words(who), note=" ".join(notes),
        pieces=tuple(_pieces(whole[:LONGEST], spans, words)), folded=said.role in (Role.SYSTEM, Role.DOCUMENT),
    )  # fmt: skip
    marked = {piece.anchor for piece in part.pieces if piece.anchor}
    return part, {place: (f"f-{place}" if f"f-{place}" in marked else anchor) for place, _ in found}


def _pieces(text: str, spans: Sequence[tuple[Finding, int]], words: Words) -> Iterable[Piece]:
    """Text cut at masks and at the marked words. Of words that overlap the first are marked."""
    at = 0
    for span, place in spans:
        if span.start < at or span.start >= len(text):
            continue
        yield from _unmasked(text[at : span.start], words)
        tone = "deny" if span.kind in (Kind.LEGAL, Kind.COMPLAINT, Kind.INJECTION, Kind.VULNERABILITY) else "hold"
        shown = MASK.sub(lambda mask: f"[{_label(mask[0], words)}]", text[span.start : span.end])
        yield Piece(text=shown, tone=tone, anchor=f"f-{place}")
        at = span.end
    yield from _unmasked(text[at:], words)


def _unmasked(text: str, words: Words) -> Iterable[Piece]:
    at = 0
    for found in MASK.finditer(text):
        if found.start() > at:
            yield Piece(text=text[at : found.start()])
        yield Piece(label=_label(found[0], words))
        at = found.end()
    if at < len(text):
        yield Piece(text=text[at:])


def _spots(turn: Turn, marks: Marks) -> dict[int, tuple[int, Finding | None]]:
    """Place of each finding to (message, span); no span: the message as a whole."""
    assert turn.payload is not None  # the caller has looked
    asked = list(enumerate(turn.payload.messages))
    answered = [(len(asked) + at, said) for at, said in enumerate(turn.payload.answer)]
    taken: set[tuple[int, int, int]] = set()
    spots: dict[int, tuple[int, Finding | None]] = {}
    for place, fact in enumerate(turn.facts.findings):
        side = answered if fact.side == "output" else asked
        if not side:
            continue
        spots[place] = (next((at for at, said in reversed(side) if said.role is Role.USER), side[-1][0]), None)
        for at, said in side:
            seen = marks("\n".join(said.texts)[:LONGEST], said.role, frozenset({fact.kind})) if said.texts else ()
            free = [one for one in seen if one.kind is fact.kind and (at, one.start, one.end) not in taken]
            if free:
                taken.add((at, free[0].start, free[0].end))
                spots[place] = (at, free[0])
                break
    return spots


def _gap(turn: Turn, words: Words) -> Part:
    said = {
        "erased": N_("Its words were erased. What is left are facts without anything personal."),
        "expired": N_("Its words are past their retention and gone. The facts stay."),
        "unread": N_("A message and its answer, not opened."),
    }.get(turn.missing, N_("No words were kept of this."))
    return Part(kind="gap", at_ms=turn.at_ms, anchor=f"m-{turn.id}", id=turn.id, said=words(said))


def _action(act: Line, words: Words) -> Part:
    held = act.decide_by is not None
    tone, state = STATES.get(act.state, ("off", N_("Ended")))
    if held:
        state = BY_PERSON.get(act.state, state)
    said = words.money(act.amount_minor, act.currency) if act.amount_minor is not None and act.currency else ""
    reasons = "; ".join(words(built_in(code) or CODES.get(code, code)) for code in act.reasons)
    why = N_("Held for a person: {reasons}") if held else N_("Decided by: {reasons}")
    return Part(
        kind="action", at_ms=act.created_at, id=act.action, tool=act.tool, tone=tone, state=words(state), said=said,
        note=words(why, reasons=reasons) if reasons else words(N_("Nothing in its way.")),
    )  # fmt: skip


def payload_of(data: bytes | None) -> Payload | None:
    """None where there is none, and for one that is of no interaction."""
    try:
        return None if data is None else msgspec.json.decode(data, type=Payload)
    except msgspec.MsgspecError:
        return None
