"""Limits per use case: requests per minute and day, tokens and cost per day.

Counted in this process and exchanged with the others about once a second, so a limit can be passed by at most what the
other processes accept between two exchanges; within one process requests are exact. Tokens and cost are known only
after an answer, so the answers under way can pass those two limits. When the exchange fails, this process goes on with
the last total it heard of plus its own count: never with zero. A budget refuses with 429 and the seconds until the next
period; it never lets pass because it could not count.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from handrail.guard.ports import Spending, Spent
from handrail.policy.ruleset import UseCase
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId

_NOTHING = Spent()


class _Period:
    """Counts of one use case in one minute or day. `total`: of all processes at the last exchange, what this process
    had given by then included; `own`: counted since."""

    __slots__ = ("cost", "end_ms", "name", "requests", "tokens", "total")

    def __init__(self, name: str, end_ms: int) -> None:
        self.name = name
        self.end_ms = end_ms
        self.total = _NOTHING
        self.requests = self.tokens = self.cost = 0

    def take(self) -> Spent:
        """What to give; until the answer comes it counts as given, so that no moment counts it as nothing."""
        own = Spent(self.requests, self.tokens, self.cost)
        self.requests = self.tokens = self.cost = 0
        self.total = _sum(self.total, own, 1)
        return own

    def give_back(self, own: Spent) -> None:
        self.requests += own.requests
        self.tokens += own.tokens
        self.cost += own.cost_micro_minor
        self.total = _sum(self.total, own, -1)


class Budgets:
    """The limits of every use case in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._days: dict[UseCaseId, _Period] = {}
        self._minutes: dict[UseCaseId, _Period] = {}

    def admit(self, use_case: UseCase, time_zone: str) -> None:
        """Count one request. Raises HandrailError BUDGET_* with `retry_after_s`."""
        limits = use_case.budget
        now = self._clock.now_ms()
        day = self._day(use_case.id, time_zone, now)
        minute: _Period | None = None
        if limits.requests_per_minute is not None:
            minute = self._minute(use_case.id, now)
            if minute.total.requests + minute.requests >= limits.requests_per_minute:
                raise _spent(Code.BUDGET_REQUESTS, "requests per minute", minute, now)
        if limits.requests is not None and day.total.requests + day.requests >= limits.requests:
            raise _spent(Code.BUDGET_REQUESTS, "requests per day", day, now)
        if limits.tokens is not None and day.total.tokens + day.tokens >= limits.tokens:
            raise _spent(Code.BUDGET_TOKENS, "tokens per day", day, now)
        if limits.cost_minor is not None and day.total.cost_micro_minor + day.cost >= limits.cost_minor * 1_000_000:
            raise _spent(Code.BUDGET_COST, "cost per day", day, now)
        day.requests += 1
        if minute is not None:
            minute.requests += 1

    def spend(self, use_case: UseCaseId, *, tokens: int, cost_micro_minor: int) -> None:
        """Count what an answer took, in the day its request was admitted or the current one."""
        day = self._days.get(use_case)
        if day is not None:
            day.tokens += tokens
            day.cost += cost_micro_minor

    async def exchange(self, spending: Spending) -> None:
        """Give what was counted since the last call and hear of the others. Raises JOURNAL_UNAVAILABLE; what was not
        given is kept."""
        for periods in (self._days, self._minutes):
            for use_case, period in list(periods.items()):
                own = period.take()
                try:
                    period.total = await spending.exchange(use_case=use_case, period=period.name, added=own)
                except BaseException:
                    period.give_back(own)
                    raise

    def _day(self, use_case: UseCaseId, time_zone: str, now: int) -> _Period:
        day = self._days.get(use_case)
        if day is None or now >= day.end_ms:
            local = datetime.fromtimestamp(now / 1000, ZoneInfo(time_zone))
            midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0) + timedelta(days=1)
            end = datetime(midnight.year, midnight.month, midnight.day, tzinfo=local.tzinfo)
            day = self._days[use_case] = _Period(local.date().isoformat(), int(end.timestamp() * 1000))
        return day

    def _minute(self, use_case: UseCaseId, now: int) -> _Period:
        minute = self._minutes.get(use_case)
        if minute is None or now >= minute.end_ms:
            name = datetime.fromtimestamp(now // 60_000 * 60, UTC).strftime("%Y-%m-%dT%H:%MZ")
            minute = self._minutes[use_case] = _Period(name, (now // 60_000 + 1) * 60_000)
        return minute


def _sum(a: Spent, b: Spent, sign: int) -> Spent:
    return Spent(
        a.requests + sign * b.requests, a.tokens + sign * b.tokens, a.cost_micro_minor + sign * b.cost_micro_minor
    )


def _spent(code: Code, what: str, period: _Period, now: int) -> HandrailError:
    seconds = max(1, -(-(period.end_ms - now) // 1000))
    return HandrailError(
        code, f"the budget of this use case is used up ({what}); it starts again in {seconds} s", retry_after_s=seconds
    )
