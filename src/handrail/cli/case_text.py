"""A held action as text for a terminal. What customers, targets and models wrote cannot steer the terminal: control
characters and those that turn the direction of text are written as escapes."""

import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from handrail.approvals.lifecycle import Otherwise, State
from handrail.approvals.view import CaseView
from handrail.home.codes import money
from handrail.policy.explain_action import built_in

_UNDONE = {
    "free": "at any time",
    "compensable": "by a contrary call; both stay in the books",
    "none": "never",
}
_OTHERWISE = {
    Otherwise.DENY: "it is denied",
    Otherwise.HANDOVER: "it is denied, and the case goes to a person",
}
_STEERS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of Unicode that a terminal may obey or not show: controls, formats (those of direction), the rest."""


def escaped(text: str) -> str:
    """One line. Controls and invisible characters become escapes such as `\\x1b`."""
    return "".join(letter if unicodedata.category(letter) not in _STEERS else ascii(letter)[1:-1] for letter in text)


def escaped_json(data: bytes) -> str:
    """JSON whose strings steer no terminal: what JSON leaves raw is written as \\u escapes. Line breaks of the form
    stay."""
    out = []
    for letter in data.decode():
        if letter == "\n" or unicodedata.category(letter) not in _STEERS:
            out.append(letter)
        else:
            units = letter.encode("utf-16-be", "surrogatepass")
            out += [f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)]
    return "".join(out)


def case_text(case: CaseView) -> list[str]:
    """In the order in which a person decides: what and to whom, why it waits, how far it reaches, whether it can be
    taken back, what was before, where each value came from, what was said, and what happens without her."""
    return [escaped(line) for line in _lines(case)]


def _lines(case: CaseView) -> Iterator[str]:
    title = f"  ({case.title})" if case.title else ""
    yield f"{case.action}  {case.state.value}  revision {case.revision}"
    if case.was_drill:
        yield "this was a drill: nothing of it was ever executed"
    yield f"what: {case.tool}{title}, {case.type}, {_money(case.amount_minor, case.currency)}"
    if case.arguments is None:
        yield "  its customer was erased: the call cannot be read or executed any more"
    for name, value in (case.arguments or {}).items():
        yield f"  {name}: {_json(value)}"
    for edit in case.edits:
        yield f"edited by {case.names.get(edit.by, edit.by)} at {_time(edit.at_ms)}; before that:"
        if edit.before is None:
            yield "  what stood there cannot be read any more"
        for name, value in (edit.before or {}).items():
            yield f"  {name}: {_json(value)}"
    yield f"to whom: customer {case.customer or 'not named'}"
    agent = f"agent {case.agent or 'without a name'}, use case {case.use_case}"
    if case.undoes:
        yield f"asked by: a person, to take back {case.undoes} of {agent}"
    else:
        yield f"asked by: {agent}"
    yield from _why(case)
    yield from _reach(case)
    yield from _undo(case)
    yield from _past(case)
    yield from _values(case)
    yield from _said(case)
    yield from _deciding(case)
    yield f"digest: {case.digest}"


def _why(case: CaseView) -> Iterator[str]:
    yield f"why it waits (rules {str(case.ruleset or 'unknown')[:12]}):"
    for why in case.why:
        author = f", by {why.author}" if why.author else ""
        where = f" [{why.place}{author}]" if why.place else " [built in]"
        words = why.words or built_in(why.code)
        yield f"  {why.code}{' at ' + why.side if why.side else ''}{': ' + words if words else ''}{where}"


def _reach(case: CaseView) -> Iterator[str]:
    blast = case.blast
    yield f"how far it reaches: {blast.type} in {blast.system or 'its target'}" + (
        ", carries something outside" if blast.outbound else ""
    )
    for path, values in blast.objects.items():
        yield f"  touches {path}: {', '.join(map(_json, values)) or 'none'}"
    for use in blast.uses:
        used, most, this = (_use(count, use.currency) for count in (use.used, use.at_most, use.this))
        yield f"  limit {use.limit}: {used} of {most}, this one {this}" + ("" if use.currency else " (calls)")


def _undo(case: CaseView) -> Iterator[str]:
    until = _UNDONE.get(case.reversibility, "")
    if case.reversibility == "window" and case.undo_until_s is not None:
        until = f"until {_span(case.undo_until_s)} after it is done"
    yield f"undo: {until or 'never'}" + (f", by {case.undo}" if case.undo else "; its tool names no call for it")
    if case.leaves_after_s:
        yield f"  it leaves {_span(case.leaves_after_s)} after the approval; a stop ends it until then"


def _past(case: CaseView) -> Iterator[str]:
    yield "similar cases:" + ("" if case.past else " none")
    for past in case.past:
        by = f" by {case.names.get(past.settled_by, past.settled_by)}" if past.settled_by else ""
        moved = _money(past.amount_minor, past.currency)
        yield f"  {past.action}  {past.state.value}{by}  {_time(past.at_ms)}  {moved}"


def _values(case: CaseView) -> Iterator[str]:
    yield f"what the customer said to it: {case.agreed}"
    for value in case.values:
        where = f", message {value.message}" if value.message >= 0 else ""
        why = f", {value.why}" if value.why else ""
        yield f"  {value.path} = {_json(value.value)}: {value.origin}{where}{why}"
    for name, fact in case.facts.items():
        currency = case.amounts.get(name, "")
        shown = money(fact, currency) if currency and isinstance(fact, int) else _json(fact)
        yield f"  fact {name}: {shown}"


def _said(case: CaseView) -> Iterator[str]:
    of = " of what it takes back" if case.undoes else ""
    yield f"conversation{of} {case.conversation or '(none is linked)'}:" + ("" if case.said else " nothing is recorded")
    for line in case.said:
        for at, text in enumerate(line.text.splitlines() or [""]):
            yield f"  {line.role if at == 0 else '':>9} | {text}"


def _deciding(case: CaseView) -> Iterator[str]:
    def named(people: tuple[str, ...]) -> str:
        return ", ".join(case.names.get(one, one) for one in people)

    yield f"who decides: route {case.route}, {case.needs} of {', '.join(case.roles) or 'nobody'}" + (
        "" if case.on_duty else "; nobody of it is on duty now"
    )
    if case.approvals:
        yield f"  approved so far: {named(case.approvals)}"
    if case.excluded:
        yield f"  never: {named(case.excluded)}"
    if case.settled_by:
        yield f"  decided by {named((case.settled_by,))}"
    if case.state is State.UNKNOWN:
        yield f"nobody can tell whether it took effect: find out, then handrail approvals settle {case.action} --done"
        yield "  or --failed, when it certainly has not"
    if case.state is State.HELD:
        for step in case.ahead:
            yield f"  from {_time(step.at_ms)} also {', '.join(step.roles)}"
        until = _time(case.decide_by) if case.decide_by is not None else "for ever"
        yield f"if nobody decides until {until}: {_OTHERWISE[case.otherwise]}"


def _money(minor: int | None, currency: str) -> str:
    return "no money" if minor is None else money(minor, currency)


def _use(count: int, currency: str) -> str:
    return money(count, currency) if currency else str(count)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _span(seconds: int) -> str:
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {name}"
    return f"{seconds} s"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
