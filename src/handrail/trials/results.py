"""What a run of trials showed, as text, JUnit and a digest; pure."""

import hashlib
import re
from collections.abc import Sequence
from xml.etree import ElementTree

import msgspec

from handrail.terms.ids import Digest
from handrail.trials.case import Trial, digest_input
from handrail.trials.expect import Failure
from handrail.trials.fingerprint import Fingerprint


class Spoken(msgspec.Struct, frozen=True):
    role: str
    text: str


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """One case. `case`: its name in the file, `id` says in which API too. `attack`: its kind, `incident`: what it would
    have caught; empty: none. `not_run`: why it was not; empty: it was. `talk`: for who reads the result; it is kept
    nowhere."""

    id: str
    use_case: str
    case: str = ""
    attack: str = ""
    incident: str = ""
    place: str = ""
    why: str = ""
    failures: tuple[Failure, ...] = ()
    not_run: str = ""
    release: str = ""
    turns: int = 0
    ms: int = 0
    cost_micro_minor: int = 0
    golden: Fingerprint | None = None
    similar: float = 0.5
    talk: tuple[Spoken, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.failures and not self.not_run


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of the cases. `cases_digest`: of what was asked and expected."""

    cases: tuple[CaseResult, ...]
    cases_digest: Digest

    @property
    def passed(self) -> int:
        return sum(one.passed for one in self.cases)

    @property
    def failed(self) -> int:
        """Those that were not run count too: what was not shown is not green."""
        return len(self.cases) - self.passed

    @property
    def cost_micro_minor(self) -> int:
        return sum(one.cost_micro_minor for one in self.cases)

    def of(self, use_case: str) -> "Results":
        """Those of one use case."""
        kept = tuple(one for one in self.cases if one.use_case == use_case)
        return msgspec.structs.replace(self, cases=kept)

    @property
    def releases(self) -> frozenset[str]:
        return frozenset(one.release for one in self.cases if one.release)

    def digest(self) -> Digest:
        """SHA-256 of what the cases were, which release answered, and which expectations were not met."""
        rows = [
            (one.id, one.release, one.not_run, [(each.turn, each.expected) for each in one.failures])
            for one in sorted(self.cases, key=lambda one: one.id)
        ]
        return Digest(hashlib.sha256(msgspec.json.encode([self.cases_digest, rows])).hexdigest())


def cases_digest(trials: Sequence[Trial]) -> Digest:
    return Digest(hashlib.sha256(digest_input(trials)).hexdigest())


def lines(one: CaseResult) -> list[str]:
    """For the terminal: one line, and one more for each failure."""
    mark = "ok  " if one.passed else "FAIL"
    out = [f"{mark} {one.use_case}/{one.id}  {one.turns} turns  {one.ms} ms"]
    if one.not_run:
        out.append(f"     {one.place}: not run: {one.not_run}")
    for each in one.failures:
        where = f"turn {each.turn}" if each.turn else "whole"
        out.append(f"     {one.place}, {each.place or where}: {where}: expected {each.expected}; got {each.got}")
    return out


def by_attack(results: Results) -> list[str]:
    """How many attacks of each kind were withstood."""
    kinds = dict.fromkeys(one.attack for one in results.cases if one.attack)
    return [
        f"attacks: {kind}: {sum(one.passed for one in own)} of {len(own)} withstood"
        for kind in kinds
        if (own := [one for one in results.cases if one.attack == kind])
    ]


def junit(results: Results) -> bytes:
    """JUnit XML as CI servers read it: a suite per use case. Its `release` is what answered, so that the results are
    taken for no other."""
    root = ElementTree.Element(
        "testsuites", name="handrail", tests=str(len(results.cases)),
        failures=str(sum(bool(one.failures) for one in results.cases)),
    )  # fmt: skip
    for use_case in sorted({one.use_case for one in results.cases}):
        own = results.of(use_case)
        suite = ElementTree.SubElement(
            root, "testsuite", name=use_case, tests=str(len(own.cases)),
            failures=str(sum(bool(one.failures) for one in own.cases)),
            skipped=str(sum(bool(one.not_run) for one in own.cases)),
            time=f"{sum(one.ms for one in own.cases) / 1000:.3f}",
        )  # fmt: skip
        if own.releases:
            suite.set("release", " ".join(sorted(own.releases)))
        for one in own.cases:
            case = ElementTree.SubElement(
                suite, "testcase", classname=_class(one), name=one.id, time=f"{one.ms / 1000:.3f}",
                file=one.place.rpartition(":")[0],
            )  # fmt: skip
            if one.failures:
                first = one.failures[0]
                failure = ElementTree.SubElement(case, "failure", message=_xml(f"expected {first.expected}"))
                failure.text = _xml("\n".join(lines(one)[1:]))
            elif one.not_run:
                ElementTree.SubElement(case, "skipped", message=_xml(one.not_run))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _class(one: CaseResult) -> str:
    return f"handrail.{one.use_case}.attacks.{one.attack}" if one.attack else f"handrail.{one.use_case}"


def _xml(text: str) -> str:
    """Without what XML 1.0 cannot hold."""
    return _NOT_XML.sub("?", text)


_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
