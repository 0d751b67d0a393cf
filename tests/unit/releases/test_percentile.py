"""Judged by its place among those of the past: the table, the place, and what a rollout keeps of it."""

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from handrail.cli.judge import judge
from handrail.policy.ramp import Form, Outcome, Past, Ramp, RampMetric, Stage, UnitKind
from handrail.releases.judge import Judge, Unit
from handrail.releases.past import NEEDED, Before, Reported, before, with_past
from handrail.releases.percentile import STEPS, percentile, quantiles
from handrail.releases.sentence import sentence
from handrail.releases.units import judge_options, measured, plan_of
from handrail.terms.errors import HandrailError
from handrail.terms.ids import Digest

LIVE, OTHER = Digest("a" * 64), Digest("b" * 64)
SLOW = RampMetric(name=Outcome.HANDLE_TIME, form=Form.PERCENTILE)
RAMP = Ramp(stages=(Stage(share=0.5),), maturity_minutes=1, metrics=(SLOW,), planned_units=3000)
seconds = st.lists(st.floats(0, 1e6) | st.sampled_from([0.0, 60.0]), min_size=1, max_size=300)


@pytest.mark.promise("ROL-18")
@given(values=seconds, asked=st.floats(-1, 2e6))
def test_a_table_of_a_table_is_the_table_and_places_grow_with_the_value(values: list[float], asked: float) -> None:
    table = quantiles(values)
    assert len(table) == STEPS + 1
    assert list(table) == sorted(table)
    assert (table[0], table[-1]) == (min(values), max(values))
    assert quantiles(table) == table
    place = percentile(table, asked)
    assert 0 <= place <= 1
    assert percentile(table, asked + 1) >= place


@pytest.mark.promise("ROL-18")
def test_the_place_is_the_share_of_the_past_below_and_of_a_usual_value_the_middle() -> None:
    drawn = random.Random(1)
    past = [drawn.lognormvariate(5.7, 0.8) for _ in range(20_000)]
    table = quantiles(past)
    for value in (120.0, 300.0, 900.0):
        assert percentile(table, value) == pytest.approx(sum(one < value for one in past) / len(past), abs=0.005)
    half = quantiles([0.0] * 500 + past[:500])
    assert percentile(half, 0.0) == pytest.approx(0.25, abs=0.01)
    assert (percentile(half, -1.0), percentile(half, 1e9)) == (0.0, 1.0)
    assert percentile(quantiles([7.0]), 7.0) == 0.5


def test_a_past_without_a_value_or_with_one_that_is_none_is_refused() -> None:
    for values in ([], [1.0, float("nan")], [float("inf")]):
        with pytest.raises(ValueError, match="finite number"):
            quantiles(values)


def reported(number: int, *, at: int = 0, received: int = 1000, value: float = 60.0, **changes: Any) -> Reported:
    given = Reported(
        conversation=f"cv_{number}", customer=None, began_at=at, occurred_at=received, received_at=received,
        name="handle_time", value=value,
    )  # fmt: skip
    return msgspec.structs.replace(given, **changes)


@pytest.mark.promise("ROL-18")
def test_the_past_is_that_of_units_as_old_as_outcomes_need_with_what_was_reported_by_then() -> None:
    rows = [
        reported(1, value=10.0),
        reported(1, value=12.0, received=2000),
        reported(2, received=61_000),  # too late for its own unit
        reported(3, at=50_000, received=51_000),  # not complete yet
        reported(4, name="complaint"),
    ]
    assert before(RAMP, LIVE, rows, 70_000).values == {"handle_time": (12.0,)}
    weekly = msgspec.structs.replace(RAMP, unit=UnitKind.CUSTOMER_WEEK)
    same = [reported(number, customer="su_1", value=float(number), occurred_at=number) for number in (1, 2)]
    assert before(weekly, LIVE, same, 70_000).values == {"handle_time": (2.0,)}


@pytest.mark.promise("ROL-18")
def test_too_little_of_a_past_refuses_the_start_or_judges_by_the_mean_where_declared() -> None:
    few = Before(release=LIVE, values={"handle_time": (60.0,) * (NEEDED - 1)})
    for known in (few, None, Before(release=OTHER, values={"handle_time": (60.0,) * NEEDED})):
        with pytest.raises(HandrailError, match=f"needs {NEEDED} with complete outcomes"):
            with_past(RAMP, known, LIVE)
        either = msgspec.structs.replace(SLOW, form=Form.PERCENTILE_OR_MEAN)
        (kept,) = with_past(msgspec.structs.replace(RAMP, metrics=(either,)), known, LIVE).metrics
        assert kept.past is None
        assert measured((kept,), {"handle_time": (1, 900.0)}) == {"handle_time": 0.5}
    (kept,) = with_past(
        RAMP, Before(release=LIVE, values={"handle_time": tuple(map(float, range(NEEDED)))}), LIVE
    ).metrics
    assert kept.past is not None
    assert kept.past.units == NEEDED
    assert measured((kept,), {"handle_time": (1, (NEEDED - 1) / 4)}) == {"handle_time": pytest.approx(0.25, abs=1e-9)}


def drawn(many: int, slower: float, seed: int) -> list[tuple[bool, float]]:
    """Label, and seconds with a heavy tail."""
    draw, found = random.Random(seed), []
    for _ in range(many):
        canary = draw.random() < 0.5
        value = draw.lognormvariate(5.7, 0.5) * (slower if canary else 1.0)
        found.append((canary, value * (1 + draw.paretovariate(1.5)) if draw.random() < 0.01 else value))
    return found


def said(rows: list[dict[str, Any]], *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(judge, list(options), input="\n".join(map(json.dumps, rows)))
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


@pytest.mark.promise("ROL-18")
def test_what_was_recorded_of_a_rollout_is_judged_the_same_and_raw_seconds_with_its_table_too(tmp_path: Path) -> None:
    draw = random.Random(3)
    table = quantiles([draw.lognormvariate(5.7, 0.5) for _ in range(2000)])
    ramp = msgspec.structs.replace(RAMP, metrics=(msgspec.structs.replace(SLOW, past=Past(2000, table)),))
    online, places, raw = Judge(plan_of(ramp)), [], []
    for canary, value in drawn(3000, 1.3, 4):
        metrics = measured(ramp.metrics, {"handle_time": (1, value)})
        arm = {"arm": "canary" if canary else "control", "share": 0.5, "stage": 1}
        places.append({**arm, "metrics": metrics})
        raw.append({**arm, "metrics": {"handle_time": value}})
        if not online.decided:
            online.fold(Unit(canary=canary, share=0.5, stage="1", metrics=metrics))
    told = online.conclude()
    file = tmp_path / "past.txt"
    file.write_text("\n".join(map(repr, table)))
    options = judge_options(ramp)
    assert "--percentile=handle_time" in options
    again = said(places, *options)
    by_table = said(raw, *[f"{one}={file}" if one.startswith("--percentile") else one for one in options])
    assert again == by_table
    assert (again["verdict"], again["decided_at"]) == ("worse", told.decided_at)
    assert again["log_e"] == pytest.approx(told.log_e, abs=1e-9)
    assert again["sentence"] == sentence(told)
    assert "handle_time in distribution: above " in again["sentence"]
    assert again["metrics"]["handle_time"]["interval_of"] == "difference of mean percentiles"


def test_as_a_mean_the_sentence_says_on_average() -> None:
    rows = [
        {"arm": "canary" if canary else "control", "share": 0.5, "metrics": {"handle_time": value}}
        for canary, value in drawn(2000, 1.5, 5)
    ]
    assert "handle_time on average " in said(rows, "--cap", "handle_time=1800")["sentence"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--percentile", "slow=nowhere.txt"), "nowhere.txt: No such file"),
        (("--percentile", "slow=1,2,3"), "3 past values; a distribution needs 50"),
        (("--percentile", "quick"), "no unit has a metric quick"),
        (("--percentile", "slow=" + "nan," * 60 + "1"), "each a finite number"),
    ],
)
def test_a_past_that_cannot_be_one_is_refused_with_what_to_change(options: tuple[str, ...], why: str) -> None:
    row = json.dumps({"arm": "canary", "share": 0.5, "metrics": {"slow": 0.5}})
    result = CliRunner().invoke(judge, list(options), input=row)
    assert result.exit_code == 2
    assert why in " ".join(result.output.split())
