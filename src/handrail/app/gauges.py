"""What `/metrics` shows beside the gateway's own counts: providers, the journal, what is in force, the log.

Numbers of the database are the same for every worker; each looks at them every ten seconds, and the most recent, which
is the largest, is shown. When the database does not answer they stay, and `handrail_in_force_age_seconds` grows.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

from handrail.gateway.metrics import Counter, Gauge, Metric, Over
from handrail.in_force.snapshot import InForce
from handrail.terms.clock import Clock
from handrail.terms.errors import HandrailError

if TYPE_CHECKING:
    from handrail.app.wire import Store

LOOK_S = 10.0
_LOG = (
    "SELECT (SELECT size FROM log_head), (SELECT coalesce(max(idx) + 1, 0) FROM sequenced), "
    "(SELECT count(*) FROM outcome WHERE conversation IS NULL), "
    "(SELECT count(*) FROM action WHERE state = 'unknown'), "
    "(SELECT count(*) FROM notice WHERE due_at IS NOT NULL AND tries > 0)"
)


class Standing(Protocol):
    """How one provider stands in this process (`backends.upstream.model.Standing`)."""

    @property
    def provider(self) -> str: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def open_s(self) -> float: ...


class Watched:
    """Where the numbers are read."""

    def __init__(self, store: "Store", in_force: InForce, model: object, clock: Clock) -> None:
        self._rows = store.reading.rows
        self.writer = store.writer
        self._in_force = in_force
        self._model = model
        self._clock = clock
        self._seen: dict[str, int] = {}
        self.published = self.sequenced = self.unmatched = self.unknown = self.delayed = 0

    async def follow(self) -> None:
        """Look at the database again and again until cancelled."""
        while True:
            with contextlib.suppress(HandrailError):
                rows = await self._rows(_LOG)
                counts = (int(each or 0) for each in rows[0])
                self.published, self.sequenced, self.unmatched, self.unknown, self.delayed = counts
            await asyncio.sleep(LOOK_S)

    def standing(self, field: str) -> dict[tuple[str, ...], float]:
        """One number of each provider called so far."""
        ask = getattr(self._model, "standing", None)  # a model that is not ours need not have it
        rows: tuple[Standing, ...] = ask() if ask is not None else ()
        return {(row.provider,): float(getattr(row, field)) for row in rows}

    def open_circuits(self) -> dict[tuple[str, ...], float]:
        """1 for each provider that this process leaves alone for now."""
        return {name: float(seconds > 0) for name, seconds in self.standing("open_s").items()}

    def age_s(self) -> float:
        """Since this process last saw what is in force."""
        return max(0.0, self._clock.monotonic() - self._in_force.fresh_at) if self._in_force.fresh_at else 0.0

    def epoch(self) -> float:
        """Of what is in force here."""
        return float(self._in_force.current.epoch) if self._in_force.current is not None else 0.0

    def grown(self, name: str) -> int:
        """How much a number of the writer grew since it was last asked for."""
        now = int(getattr(self.writer, name))
        before, self._seen[name] = self._seen.get(name, 0), now
        return now - before


class _WriterCounter(Counter):
    """A number that the writer counts itself."""

    def __init__(self, name: str, about: str, watched: Watched, field: str) -> None:
        super().__init__(name, about, ())
        self._watched = watched
        self._field = field

    def rows(self) -> list[tuple[tuple[str, ...], list[float]]]:
        self.add((), self._watched.grown(self._field))
        return super().rows()


def gauges(watched: Watched) -> tuple[Metric, ...]:
    """Every metric of this file."""
    writer = watched.writer
    provider = ("provider",)
    return (
        Gauge("handrail_workers", "Gateway workers that count here.", (), lambda: {(): 1.0}),
        Gauge(
            "handrail_upstream_in_flight", "Calls at a provider now.", provider, lambda: watched.standing("in_flight")
        ),
        Gauge(
            "handrail_upstream_waiting", "Calls waiting for a place.", provider, lambda: watched.standing("waiting")
        ),
        Gauge(
            "handrail_upstream_circuit_open", "Workers whose circuit is open.", provider, watched.open_circuits
        ),
        Gauge("handrail_journal_waiting", "Entries and commands not yet committed.", (), lambda: {(): writer.waiting}),
        Gauge("handrail_journal_failed", "Workers whose last commit failed.", (), lambda: {(): float(writer.failed)}),
        _WriterCounter("handrail_journal_batches_total", "Commits.", watched, "batches"),
        _WriterCounter("handrail_journal_lost_batches_total", "Commits that failed.", watched, "lost"),
        _WriterCounter("handrail_journal_refused_total", "Unwatched entries refused.", watched, "refused"),
        Gauge(
            "handrail_in_force_age_seconds", "Since the longest worker saw what is in force.", (),
            lambda: {(): watched.age_s()}, Over.MOST,
        ),
        Gauge("handrail_in_force_epoch", "Epoch of what is in force.", (), lambda: {(): watched.epoch()}, Over.MOST),
        Gauge(
            "handrail_log_published_entries", "Under a signed checkpoint.", (),
            lambda: {(): float(watched.published)}, Over.MOST,
        ),
        Gauge(
            "handrail_log_sequenced_entries", "With an index in the log.", (),
            lambda: {(): float(watched.sequenced)}, Over.MOST,
        ),
        Gauge(
            "handrail_events_unmatched", "Outcome events that wait for their conversation.", (),
            lambda: {(): float(watched.unmatched)}, Over.MOST,
        ),
        Gauge(
            "handrail_actions_unknown", "Actions that wait for a person to say what became of them.", (),
            lambda: {(): float(watched.unknown)}, Over.MOST,
        ),
        Gauge(
            "handrail_notices_delayed", "Notices that were begun and that their receivers have not taken yet.", (),
            lambda: {(): float(watched.delayed)}, Over.MOST,
        ),
    )  # fmt: skip
