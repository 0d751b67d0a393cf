"""A small registry in the Prometheus text format 0.0.4, summed over the worker processes. Labels carry no customer
content.

Each worker publishes a snapshot of its own numbers, and every scrape adds up the latest snapshots of all, whichever
worker it reaches: so no number ever falls between two scrapes. A worker that is started again goes on from the last
snapshot of the one before it; what was counted since (at most a second) is lost.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import msgspec

from handrail.ledger.entry import InteractionFacts

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds in seconds."""

MAX_SERIES = 2_000
"""Label combinations per metric; further ones are counted under labels of `other`."""

Rows = list[tuple[tuple[str, ...], list[float]]]
Share = Callable[[bytes], Sequence[bytes]]
"""Publishes this process's snapshot; returns the latest of every process, this one's too."""


class Counter:
    """Only grows."""

    def __init__(self, name: str, about: str, labels: tuple[str, ...]) -> None:
        self.name, self.about, self.labels = name, about, labels
        self._values: dict[tuple[str, ...], float] = {}

    def add(self, labels: tuple[str, ...], amount: float = 1) -> None:
        if labels not in self._values and len(self._values) >= MAX_SERIES:
            labels = ("other",) * len(self.labels)
        self._values[labels] = self._values.get(labels, 0) + amount

    def rows(self) -> Rows:
        return [(labels, [value]) for labels, value in self._values.items()]

    def load(self, rows: Rows) -> None:
        """Go on from a snapshot."""
        for labels, (value,) in rows:
            self._values[labels] = self._values.get(labels, 0) + value

    def lines(self, rows: Sequence[Rows]) -> list[str]:
        out = [f"# HELP {self.name} {self.about}", f"# TYPE {self.name} counter"]
        return out + [f"{self.name}{_labels(self.labels, labels)} {_number(row[0])}" for labels, row in _sum(rows)]


class Histogram:
    """Durations in seconds."""

    def __init__(self, name: str, about: str, labels: tuple[str, ...]) -> None:
        self.name, self.about, self.labels = name, about, labels
        self._values: dict[tuple[str, ...], list[float]] = {}

    def observe(self, labels: tuple[str, ...], seconds: float) -> None:
        row = self._values.get(labels)
        if row is None:
            if len(self._values) >= MAX_SERIES:
                labels = ("other",) * len(self.labels)
            row = self._values.setdefault(labels, [0.0] * (len(BUCKETS) + 2))
        row[bisect_left(BUCKETS, seconds)] += 1
        row[-1] += seconds

    def rows(self) -> Rows:
        return list(self._values.items())

    def load(self, rows: Rows) -> None:
        """Go on from a snapshot."""
        for labels, row in rows:
            if len(row) == len(BUCKETS) + 2:
                known = self._values.setdefault(labels, [0.0] * len(row))
                known[:] = [before + more for before, more in zip(known, row, strict=True)]

    def lines(self, rows: Sequence[Rows]) -> list[str]:
        out = [f"# HELP {self.name} {self.about}", f"# TYPE {self.name} histogram"]
        for values, row in _sum(rows):
            total = 0.0
            for bound, count in zip((*BUCKETS, None), row[:-1], strict=True):
                total += count
                limit = "+Inf" if bound is None else f"{bound:g}"
                out.append(f"{self.name}_bucket{_labels((*self.labels, 'le'), (*values, limit))} {_number(total)}")
            out.append(f"{self.name}_sum{_labels(self.labels, values)} {row[-1]:.6f}")
            out.append(f"{self.name}_count{_labels(self.labels, values)} {_number(total)}")
        return out


class Over(StrEnum):
    """What a gauge of several processes means together."""

    SUM = "sum"
    MOST = "most"


class Gauge:
    """A value as it is now. `read`: label values to number, asked for at each snapshot."""

    def __init__(
        self,
        name: str,
        about: str,
        labels: tuple[str, ...],
        read: Callable[[], Mapping[tuple[str, ...], float]],
        over: Over = Over.SUM,
    ) -> None:
        self.name, self.about, self.labels = name, about, labels
        self._read = read
        self._over = over

    def rows(self) -> Rows:
        return [(labels, [value]) for labels, value in self._read().items()]

    def load(self, rows: Rows) -> None:
        """Nothing of a gauge outlives its process."""

    def lines(self, rows: Sequence[Rows]) -> list[str]:
        out = [f"# HELP {self.name} {self.about}", f"# TYPE {self.name} gauge"]
        if self._over is Over.SUM:
            found = _sum(rows)
        else:
            most: dict[tuple[str, ...], list[float]] = {}
            for labels, row in [each for rows_of in rows for each in rows_of]:
                most[labels] = [max(row[0], most.get(labels, row)[0])]
            found = sorted(most.items())
        return out + [f"{self.name}{_labels(self.labels, labels)} {_number(row[0])}" for labels, row in found]


Metric = Counter | Histogram | Gauge


class Metrics:
    """Everything the gateway counts. `share`: over all workers; None: this process alone."""

    def __init__(self, share: Share | None = None) -> None:
        self.requests = Counter(
            "handrail_requests_total", "Requests by route and outcome.", ("route", "outcome", "code")
        )
        self.seconds = Histogram("handrail_request_seconds", "Time from request to last byte.", ("route",))
        self.tokens = Counter("handrail_tokens_total", "Tokens as the provider counts them.", ("use_case", "direction"))
        self.findings = Counter("handrail_findings_total", "Findings by kind and side.", ("use_case", "kind", "side"))
        self._share: Share = share or (lambda own: [own])
        self._all: dict[str, Metric] = {}
        for metric in (self.requests, self.seconds, self.tokens, self.findings):
            self.add(metric)

    def answered(self, route: str, outcome: str, seconds: float) -> None:
        """Count a request that got its answer, whichever outcome that was."""
        self.requests.add((route, outcome, ""))
        self.seconds.observe((route,), seconds)

    def told(self, facts: InteractionFacts) -> None:
        """Count a finished interaction."""
        name = facts.use_case
        if facts.input_tokens:
            self.tokens.add((name, "input"), facts.input_tokens)
        if facts.output_tokens:
            self.tokens.add((name, "output"), facts.output_tokens)
        for found in facts.findings:
            if found.new:
                self.findings.add((name, found.kind, found.side))

    def add(self, metric: Metric) -> None:
        """Show a further metric, such as one of storage."""
        self._all[metric.name] = metric

    def load(self, snapshot: bytes) -> None:
        """Go on from what the worker before this one had published. Call it once every metric was added."""
        for name, rows in _read(snapshot).items():
            if name in self._all:
                self._all[name].load(rows)

    def publish(self) -> list[dict[str, Rows]]:
        """Let the other workers see the numbers of this one; everybody's."""
        own = msgspec.msgpack.encode({name: metric.rows() for name, metric in self._all.items()})
        return [_read(each) for each in self._share(own)]

    def text(self) -> bytes:
        """Of all workers."""
        found = self.publish()
        lines = [
            line
            for name, metric in self._all.items()
            for line in metric.lines([each[name] for each in found if name in each])
        ]
        return "\n".join([*lines, ""]).encode()


_SNAPSHOT = msgspec.msgpack.Decoder(dict[str, Rows])


def _read(snapshot: bytes) -> dict[str, Rows]:
    return _SNAPSHOT.decode(snapshot) if snapshot else {}


def _sum(rows: Sequence[Rows]) -> Rows:
    """Added up by labels, sorted."""
    total: dict[tuple[str, ...], list[float]] = {}
    for labels, row in [each for rows_of in rows for each in rows_of]:
        known = total.get(labels)
        total[labels] = row if known is None else [a + b for a, b in zip(known, row, strict=True)]
    return sorted(total.items())


def _number(value: float) -> str:
    """Exact: a counter of ten digits must not be rounded."""
    return str(int(value)) if value.is_integer() else repr(value)


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    if not names:
        return ""
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return "{" + pairs + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
