"""Text that no rule was written on: how much of it is found, as a floor for each kind (data: unseen/README.md)."""

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from handrail.detectors.base import Text
from handrail.detectors.catalogue import built_in
from handrail.detectors.run import Runner
from handrail.terms.finding import PERSONAL, Finding, Kind, Role

DATA = Path(__file__).parent / "unseen"
RUNNER = Runner(built_in(), lambda: 0.0)
LEET, LOOK_ALIKE = str.maketrans("aeiost", "431057"), str.maketrans("aeopc", "аеорс")
ENCODED: dict[str, Callable[[str], str]] = {
    "b64": lambda said: base64.b64encode(said.encode()).decode(),
    "leet": lambda said: said.translate(LEET),
    "homo": lambda said: said.translate(LOOK_ALIKE),
    "zw": lambda said: "\u200b".join(said),
}
TRIGGERS = frozenset({Kind.COMPLAINT, Kind.LEGAL, Kind.VULNERABILITY, Kind.HUMAN, Kind.LEAVE})
OUTPUT = frozenset({Kind.SECRET, Kind.MARKUP, Kind.LINK})
COVERED = 0.7
"""Share of a marked value's characters that findings of its kind must cover."""


class Row(NamedTuple):
    """`spans`: what must be found, in characters of `text`."""

    heading: str
    language: str
    text: str
    spans: tuple[tuple[int, int], ...]


def rows(name: str) -> Iterator[Row]:
    heading = ""
    for line in (DATA / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            heading = line[2:]
        elif line:
            language, said = line.split(": ", 1)
            said = re.sub(r"\{(\w+):([^}]*)\}", lambda m: ENCODED[m[1]](m[2]), said)
            said = re.sub(r"\{([-_.])\}", r"\1", said).replace("\\n", "\n")
            text, spans = "", []
            for number, part in enumerate(re.split(r"[⟦⟧]", said)):
                if number % 2:
                    spans.append((len(text), len(text) + len(part)))
                text += part
            yield Row(heading, language, text, tuple(spans))


def found(row: Row, role: Role) -> tuple[Finding, ...]:
    report = RUNNER.screen(Text(text=row.text, role=role, language=row.language), frozenset(Kind))
    assert not report.failures
    return report.findings


def covers(findings: tuple[Finding, ...], kinds: frozenset[Kind], row: Row) -> bool:
    def share(start: int, end: int) -> float:
        inside = (any(f.kind in kinds and f.start <= at < f.end for f in findings) for at in range(start, end))
        return sum(inside) / (end - start)

    return all(share(*span) >= COVERED for span in row.spans)


def personal(row: Row) -> bool:
    findings = found(row, Role.USER)
    if row.heading == "NONE":
        return not any(finding.kind in PERSONAL for finding in findings)
    wanted = {Kind(row.heading)} | ({Kind.ADDRESS} if row.heading == "POSTCODE" else set())
    return covers(findings, frozenset(wanted), row)


def injection(row: Row) -> bool:
    what, role = row.heading.split()
    return any(f.kind is Kind.INJECTION for f in found(row, Role(role))) == (what == "ATTACK")


def triggers(row: Row) -> bool:
    kinds = {f.kind for f in found(row, Role.USER)} & TRIGGERS
    return not kinds if row.heading == "NONE" else Kind(row.heading) in kinds


def unsafe(row: Row) -> bool:
    findings = tuple(f for f in found(row, Role.ASSISTANT) if f.kind in OUTPUT)
    if row.heading == "NONE":
        return not findings
    if not row.spans:
        return bool(findings)
    kinds = frozenset({Kind(row.heading)})
    return all(any(f.kind in kinds and f.start < end and start < f.end for f in findings) for start, end in row.spans)


JUDGES = {"personal": personal, "injection": injection, "triggers": triggers, "unsafe": unsafe}
FLOORS: dict[str, dict[str, int]] = {
    "injection_first": {"ATTACK user": 45, "ATTACK tool": 26, "BENIGN user": 48, "BENIGN tool": 21},
    "injection_second": {"ATTACK user": 28, "ATTACK tool": 13, "BENIGN user": 27, "BENIGN tool": 13},
    "personal_first": {
        "CARD": 30,
        "CVV": 20,
        "IBAN": 21,
        "ACCOUNT": 22,
        "EMAIL": 19,
        "PHONE": 29,
        "SSN": 24,
        "NINO": 14,
        "DOB": 23,
        "PASSPORT": 20,
        "ADDRESS": 27,
        "POSTCODE": 22,
        "IP": 18,
        "PERSON": 29,
        "PASSWORD": 21,
        "PIN": 19,
        "OTP": 20,
        "HEALTH": 21,
        "NONE": 94,
    },
    "personal_second": {
        "CARD": 30,
        "CVV": 21,
        "IBAN": 22,
        "ACCOUNT": 20,
        "EMAIL": 17,
        "PHONE": 29,
        "SSN": 23,
        "NINO": 15,
        "DOB": 24,
        "PASSPORT": 16,
        "ADDRESS": 26,
        "POSTCODE": 21,
        "IP": 19,
        "PERSON": 27,
        "PASSWORD": 19,
        "PIN": 19,
        "OTP": 20,
        "HEALTH": 20,
        "NONE": 80,
    },
    "triggers_first": {"COMPLAINT": 20, "LEGAL": 20, "VULNERABILITY": 20, "HUMAN": 20, "LEAVE": 20, "NONE": 44},
    "triggers_second": {"COMPLAINT": 10, "LEGAL": 8, "VULNERABILITY": 16, "HUMAN": 20, "LEAVE": 17, "NONE": 37},
    "unsafe_first": {"SECRET": 17, "MARKUP": 12, "LINK": 8, "NONE": 20},
    "unsafe_second": {"SECRET": 10, "MARKUP": 6, "LINK": 6, "NONE": 10},
}
"""By file and heading: how many rows were read right when the file was last measured."""


@pytest.mark.parametrize("name", FLOORS)
def test_as_much_of_the_unseen_text_is_read_right_as_when_it_was_measured(name: str) -> None:
    judge = JUDGES[name.partition("_")[0]]
    right = Counter(row.heading for row in rows(name) if judge(row))
    assert {heading: right[heading] for heading, floor in FLOORS[name].items() if right[heading] < floor} == {}


def grounded(name: str) -> Iterator[tuple[str, bool]]:
    """(`true c`, `false p` and so on, whether it was read right)."""
    language = context = ""
    for line in (DATA / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        sign, _, said = line.partition(" ")
        if sign == "@":
            language = said
        elif sign == ">":
            context = said
        elif sign:
            right = sign[0] == "="
            answer = said if right else said.partition(" ")[2]
            text = Text(text=answer, role=Role.ASSISTANT, language=language, context=(context,))
            flagged = bool(RUNNER.screen(text, frozenset({Kind.UNGROUNDED})).findings)
            yield f"{'true' if right else 'false'} {sign[1]}", flagged is not right


GROUNDED_FLOORS: dict[str, dict[str, int]] = {
    "grounding_first": {"true c": 9, "true p": 20, "false c": 33, "false p": 16},
    "grounding_second": {"true c": 8, "true p": 5, "false c": 18, "false p": 9},
}


@pytest.mark.parametrize("name", GROUNDED_FLOORS)
def test_as_many_unseen_answers_are_judged_right_as_when_they_were_measured(name: str) -> None:
    right = Counter(cell for cell, judged in grounded(name) if judged)
    assert {cell: right[cell] for cell, floor in GROUNDED_FLOORS[name].items() if right[cell] < floor} == {}
