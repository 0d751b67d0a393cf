"""Cases of `tests/*.yaml` as values: what is said in which API, what the model may call, what must come of it; pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import re2

from handrail.home.fields import ID
from handrail.home.fields_trials import Attack, Dialect, Outcome, Side, Way
from handrail.terms.decision import Verdict
from handrail.terms.finding import Kind

FOLDER = "tests"
END = ".yaml"
HOLE = re.compile(r"\{([A-Za-z0-9_-]+)\}")
ONE = (
    "exact", "contains", "regex", "schema", "finds", "calls", "outcome", "verdict", "within_ms", "cost_at_most",
    "judge",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """One expectation: `what` is one of `ONE`, and the fields of it are set. `cost_micro_minor`: millionths of a minor
    unit."""

    what: str
    negated: bool = False
    texts: tuple[str, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict)
    kind: Kind | None = None
    side: Side | None = None
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    matches: Mapping[str, str] = field(default_factory=dict)
    verdict: Verdict | None = None
    outcome: Outcome | None = None
    at_most: float = 0.0
    judge: str = ""
    place: str = ""

    def __str__(self) -> str:
        said = {
            "exact": self.texts, "contains": self.texts, "regex": self.texts, "finds": (self.kind,),
            "calls": (self.tool, self.verdict), "outcome": (self.outcome,), "verdict": (self.verdict,),
            "within_ms": (f"{self.at_most:g}",), "cost_at_most": (f"{self.at_most:g}",), "judge": self.texts,
        }.get(self.what, ())  # fmt: skip
        words = ", ".join(str(one) for one in said if one)
        return f"{'not ' if self.negated else ''}{self.what}{': ' if words else ''}{words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """As in the file, with its facts put in. `asked`: (pattern, what is said)."""

    goal: str
    opens: str
    asked: tuple[tuple[str, str], ...]
    otherwise: str
    until: str
    turns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What the model may call. `action`: the registered tool that the rules decide on, at `door`; empty: none do.
    `answers`: of the first call, the second, ...; then the last again."""

    name: str
    description: str
    arguments: Mapping[str, Any]
    action: str
    answers: tuple[Any, ...] = (None,)
    door: Way = Way.HTTP

    def answer(self, calls: int) -> Any:
        """`calls`: how often it was called before."""
        return self.answers[min(calls, len(self.answers) - 1)]


@dataclass(frozen=True, slots=True)
class Does:
    """An action that is put to the rules whatever the model did."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """What the customer says, what is put to the rules after the answer, and what is expected of both."""

    say: str
    expect: tuple[Expect, ...] = ()
    does: tuple[Does, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One case. `case`: its name in the file; `id` says in which API and how too, where it is asked in several ways.
    `turns`: empty for a persona. `dialect`: None: what the route speaks. `incident`: what it would have caught.
    `draft`: nobody has reviewed it yet. `attack`: one that handrail brings along."""

    id: str
    case: str = ""
    use_case: str
    model: str
    why: str = ""
    incident: str = ""
    draft: bool = False
    attack: Attack | None = None
    dialect: Dialect | None = None
    stream: bool = False
    customer: str = ""
    channel: str = ""
    system: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Tool, ...] = ()
    turns: tuple[Turn, ...] = ()
    persona: Persona | None = None
    expect: tuple[Expect, ...] = ()
    golden: bool = False
    similar: float = 0.5
    place: str = ""

    @property
    def expects(self) -> tuple[Expect, ...]:
        return (*self.expect, *(each for one in self.turns for each in one.expect))

    @property
    def judges(self) -> frozenset[str]:
        """Use cases whose model it asks as a judge."""
        return frozenset(each.judge for each in self.expects if each.judge)


def compiled(pattern: str, *, insensitive: bool = False) -> Any:
    """An RE2 expression. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not insensitive
    return re2.compile(pattern, options)


def digest_input(trials: Sequence[Trial]) -> bytes:
    """Canonical bytes of the cases, so that a result says which cases it is of."""
    return msgspec.json.encode(sorted(trials, key=lambda one: one.id), order="sorted")


def is_use_case(name: str) -> bool:
    """Whether this has the form of the id of a use case."""
    return re.match(ID, name) is not None
