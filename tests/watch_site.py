"""A site whose use case has run for a month under the watch, as the store keeps it: cells by the hour, learnt pasts, a
mix of intents. Nothing is drawn by chance: a wave stands for the day, and what went wrong for the last week's mail.

Nobody chats here: the server's own watch would count on top of it.
"""

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from browser_site import Site

from handrail.app import wire
from handrail.app.settings import environment, settings
from handrail.terms.ids import UseCaseId
from handrail.watch import mix
from handrail.watch.drift import HOURS, RISKS, Baseline, Drift
from handrail.watch.measure import HOUR_MS, MATURITY_MS, Cell, Counts, band
from handrail.watch.openings import Held
from handrail.watch.series import Series

MORE = """
demote:
  on:
    - {incident: S2}
    - {drift: repeat_contact, types: [money]}
  promote: {after_hours: 0, least_units: 0}
intents:
  delivery: [Where is my order?, when does my parcel arrive, track my delivery, is it on its way, parcel status]
  refund: [I want my money back, please refund my order, how do I get a refund, give me my money, return and refund]
"""
SECOND = """\
id: returns
name: Returns <b>& refunds</b>
purpose: Takes returns.
channels: [chat]
audience: customer
data_classes: [contact, order]
levels: {assert: {risk: R1, autonomy: A3}}
mode: enforce
on_detector_failure: refuse
on_unreadable_part: refuse
stream: window
model:
  route: [mock/scripted-1]
prompt: client
"""
RATES = {
    "transfer": 0.08, "repeat_contact": 0.05, "complaint": 0.02, "blocked": 0.03, "ungrounded": 0.02, "failed": 0.004,
    "declined": 0.03, "finding": 0.09, "handed_over": 0.01,
}  # fmt: skip
CUSTOMERS = ("transfer", "repeat_contact", "complaint")
DAYS = 30
OLD, NEW = "a" * 64, "b" * 64


def declare(site: Site) -> None:
    """Triggers and intents for the use case, and a second one that nobody asked anything yet."""
    cases = site.house.root / "use-cases"
    (cases / "orders.yaml").write_text((cases / "orders.yaml").read_text() + MORE)
    (cases / "returns.yaml").write_text(SECOND)
    site.house.by("root", "publish", str(site.house.root))


def run(site: Site, command: Callable[[Any], Any]) -> Any:
    """In a transaction of the site's own storage."""
    given = settings(site.house.root, environment())

    async def work() -> Any:
        async with wire.opened(given, environment(), checkpoints=False) as store:
            return await store.journal.run(command)

    with ThreadPoolExecutor(1) as aside:  # this thread runs the browser's loop
        return aside.submit(asyncio.run, work()).result()


def ran_for_a_month(site: Site) -> None:
    """Cells, pasts, and a mix in which refunds grew."""

    def put(tx: Any) -> None:
        now = tx.now_ms // HOUR_MS
        tx.watch.count(cells(now))
        tx.watch.keep([series(name, now, evidence=30_000.0 if name == "repeat_contact" else 12.0) for name in RATES])
        tx.watch.keep([amounts(now)])
        tx.openings.keep("orders", Held(), Held(mix=learnt_mix(now)))

    run(site, put)


def cells(now: int) -> dict[Cell, Counts]:
    """`now`: hour since 1970, the one that runs."""
    found = {}
    for hour in range(now - DAYS * 24, now + 1):
        wave = 1 + math.sin((hour % 24) / 24 * 2 * math.pi - 1.6)
        for language, channel, share in (("en", "chat", 14), ("de", "chat", 7), ("en", "mail", 5)):
            release = NEW if hour > now - 5 * 24 else OLD
            worse = 3.2 if channel == "mail" and hour > now - 6 * 24 else 1.0
            found[Cell("orders", hour, release, language, channel)] = _counts(
                hour, 2 + round(share * wave), worse, mature=hour <= now - MATURITY_MS // HOUR_MS,
                grown=hour > now - 3 * 24,
            )  # fmt: skip
    return found


def _counts(hour: int, many: int, worse: float, *, mature: bool, grown: bool) -> Counts:
    counts = Counts({"interactions": 3 * many, "new_conversations": many, "answered": 3 * many})
    for place, (name, rate) in enumerate(RATES.items()):
        of_customers = name in CUSTOMERS
        if of_customers and not mature:
            continue
        whole = many if of_customers else 3 * many
        wanted = whole * rate * (worse if name == "repeat_contact" else 1.0)
        counts[name] = int(wanted + (hour * (place + 3) * 0.37) % 1)  # rounded up as often as it should be
        counts[name] = min(counts[name], whole)
    if mature:
        counts["conversations"] = many
        counts["contained"] = many - counts["transfer"] - counts["repeat_contact"]
        counts.update({f"told.{name}": 1 for name in ("transfer", "repeat_contact", "complaint", "handle_time")})
        counts[f"handle_time/{band(0)}"] = many - 1
        counts[f"handle_time/{band(240)}"] = 1
        counts["intent/delivery/conversations"] = many // 2
        counts["intent/refund/conversations"] = many - many // 2
        counts["intent/refund/repeat_contact"] = counts["repeat_contact"]
    refunds = round(many * (0.4 if grown else 0.2))
    counts["opened/refund"], counts["opened/other"] = refunds, many // 10
    counts["opened/delivery"] = many - refunds - many // 10
    counts[f"latency/{band(900)}"], counts[f"latency/{band(2_600)}"] = 3 * many - many // 4, many // 4
    counts["input_tokens"], counts["output_tokens"] = 900 * many, 180 * many
    counts["cost_micro_minor"] = 42_000 * many
    return counts


def series(metric: str, now: int, *, evidence: float, learnt: bool = True) -> Series:
    """Its past is 60 cases an hour of the week at its usual rate; the whole of it allows some more."""
    cases = (60,) * HOURS
    bad = tuple(round(60 * RATES[metric] * (1.2 if 8 <= hour % 24 < 20 else 0.8)) for hour in range(HOURS))
    return Series(
        use_case=UseCaseId("orders"), metric=metric, bad=bad, cases=cases, first_ms=(now - DAYS * 24) * HOUR_MS,
        learnt_ms=(now - 20 * 24) * HOUR_MS if learnt else None,
        bounds=Baseline(bad, cases).bounds() if learnt else (), drift=Drift((evidence,) * len(RISKS)), watched=21_400,
    )  # fmt: skip


def amounts(now: int) -> Series:
    """Of latency: 5 % were above 2.5 s."""
    return Series(
        use_case=UseCaseId("orders"), metric="latency", limit=2_559, bad=(3,) * HOURS, cases=(60,) * HOURS,
        first_ms=(now - DAYS * 24) * HOUR_MS, learnt_ms=(now - 20 * 24) * HOUR_MS, bounds=(0.08,) * HOURS,
        drift=Drift((4.0,) * len(RISKS)), watched=21_400,
    )  # fmt: skip


def learnt_mix(now: int) -> mix.Mix:
    """7 of 10 came for a delivery, 2 for a refund."""
    one = mix.begun(UseCaseId("orders"), ("delivery", "refund", "other"), "UTC")
    start = (now - DAYS * 24) * HOUR_MS
    for at in range(2_400):
        name = "refund" if at % 10 in (3, 8) else "other" if at % 10 == 5 else "delivery"
        one, _ = mix.after(one, start + at * 9 * 24 * HOUR_MS // 2_400, name, "")
    return one
