"""A small counter registry in the Prometheus text format 0.0.4. Labels carry no customer content."""

from bisect import bisect_left

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds in seconds."""

MAX_SERIES = 2_000
"""Label combinations per metric; further ones are counted under labels of `other`."""


class Counter:
    """Only grows."""

    def __init__(self, name: str, about: str, labels: tuple[str, ...]) -> None:
        self.name, self.about, self.labels = name, about, labels
        self._values: dict[tuple[str, ...], float] = {}

    def add(self, labels: tuple[str, ...], amount: float = 1) -> None:
        if labels not in self._values and len(self._values) >= MAX_SERIES:
            labels = ("other",) * len(self.labels)
        self._values[labels] = self._values.get(labels, 0) + amount

    def lines(self) -> list[str]:
        head = [f"# HELP {self.name} {self.about}", f"# TYPE {self.name} counter"]
        return head + [
            f"{self.name}{_labels(self.labels, values)} {amount:g}" for values, amount in sorted(self._values.items())
        ]


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

    def lines(self) -> list[str]:
        out = [f"# HELP {self.name} {self.about}", f"# TYPE {self.name} histogram"]
        for values, row in sorted(self._values.items()):
            total = 0.0
            for bound, count in zip((*BUCKETS, None), row[:-1], strict=True):
                total += count
                limit = "+Inf" if bound is None else f"{bound:g}"
                out.append(f"{self.name}_bucket{_labels((*self.labels, 'le'), (*values, limit))} {total:g}")
            out.append(f"{self.name}_sum{_labels(self.labels, values)} {row[-1]:.6f}")
            out.append(f"{self.name}_count{_labels(self.labels, values)} {total:g}")
        return out


class Metrics:
    """Everything the gateway counts."""

    def __init__(self) -> None:
        self.requests = Counter(
            "handrail_requests_total", "Requests by route and outcome.", ("route", "outcome", "code")
        )
        self.seconds = Histogram("handrail_request_seconds", "Time from request to last byte.", ("route",))
        self.tokens = Counter("handrail_tokens_total", "Tokens as the provider counts them.", ("use_case", "direction"))
        self.findings = Counter("handrail_findings_total", "Findings by kind and side.", ("use_case", "kind", "side"))
        self._all: list[Counter | Histogram] = [self.requests, self.seconds, self.tokens, self.findings]

    def add(self, metric: Counter | Histogram) -> None:
        """Show a further metric, such as one of storage."""
        self._all.append(metric)

    def text(self) -> bytes:
        return "\n".join([line for metric in self._all for line in metric.lines()] + [""]).encode()


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    if not names:
        return ""
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return "{" + pairs + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
