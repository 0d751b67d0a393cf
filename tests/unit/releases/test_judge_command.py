"""`handrail judge` on what people bring."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result

from handrail.cli.judge import judge


def lines(units: int, *, worse: float, seed: int) -> str:
    random = Random(seed)
    rows = []
    for _ in range(units):
        canary = random.random() < 0.1
        rate = 0.05 * worse if canary else 0.05
        arm, bad = ("canary" if canary else "control"), int(random.random() < rate)
        rows.append(json.dumps({"arm": arm, "share": 0.1, "stage": 1, "metrics": {"complaint": bad}}))
    return "\n".join(rows)


def run(text: str, *options: str) -> Result:
    return CliRunner().invoke(judge, list(options), input=text)


def told(text: str, *options: str) -> dict[str, Any]:
    result = run(text, *options)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.promise("REL-4")
def test_a_release_with_twice_the_complaints_is_called_worse_with_its_sentence() -> None:
    found = told(lines(9000, worse=2.0, seed=3), "--reference", "complaint=0.05")
    assert found["verdict"] == "worse"
    assert found["decided_at"] == found["units"] < 9000
    assert found["log_e"] >= 4.605
    assert found["metrics"]["complaint"]["worse"]
    assert found["interval"][0] < 2.0 < found["interval"][1]
    assert found["sentence"].startswith("Worse: complaint in ")
    assert "less than once in 100" in found["sentence"]


def test_an_equal_release_is_not_called_worse_and_in_time_safe() -> None:
    early, late = told(lines(3000, worse=1.0, seed=4)), told(lines(60_000, worse=1.0, seed=4), "--margin", "1.5")
    assert early["verdict"] == "cannot tell yet"
    assert early["decided_at"] is None
    assert late["verdict"] == "safe"


def test_a_release_with_half_the_complaints_is_called_better() -> None:
    assert told(lines(60_000, worse=0.5, seed=5))["verdict"] == "better"


def test_a_few_units_are_too_early() -> None:
    found = told(lines(40, worse=1.0, seed=1))
    assert found["verdict"] == "too early"
    assert found["sentence"].startswith("Too early: only 40 units")


def test_totals_per_stage_are_judged_without_pooling_the_stages() -> None:
    """Pooled, the canary looks worse because it grew while everybody's complaints did."""
    stages = [
        {
            "stage": 1,
            "share": 0.01,
            "canary": {"units": 100, "complaint": 3},
            "control": {"units": 9900, "complaint": 297},
        },
        {
            "stage": 2,
            "share": 0.5,
            "canary": {"units": 5000, "complaint": 450},
            "control": {"units": 5000, "complaint": 450},
        },
    ]
    assert told("\n".join(map(json.dumps, stages)))["verdict"] != "worse"
    stages[1]["canary"] = {"units": 5000, "complaint": 700}
    found = told("\n".join(map(json.dumps, stages)))
    assert (found["verdict"], found["decided_at"]) == ("worse", 20_000)


def test_outcomes_that_disappear_are_a_metric_of_their_own() -> None:
    random = Random(6)
    rows = []
    for _ in range(6000):
        canary = random.random() < 0.5
        gone = random.random() < (0.3 if canary else 0.1)
        value = None if gone else int(random.random() < 0.05)
        rows.append(json.dumps({"arm": "canary" if canary else "control", "share": 0.5, "metrics": {"csat": value}}))
    found = told("\n".join(rows))
    assert found["verdict"] == "worse"
    assert [name for name, one in found["metrics"].items() if one["worse"]] == ["csat:missing"]
    assert "missing csat" in found["sentence"]


def test_pairs_of_the_same_task_are_compared_with_each_other() -> None:
    rows = []
    for task in range(60):
        rows.append({"arm": "control", "share": 0.5, "pair": task, "metrics": {"failed": int(task % 4 == 0)}})
        rows.append({"arm": "canary", "share": 0.5, "pair": task, "metrics": {"failed": int(task % 4 != 3)}})
    found = told("\n".join(map(json.dumps, rows)))
    assert found["verdict"] == "worse"
    assert found["decided_at"] % 2 == 0
    assert found["metrics"]["failed"]["interval"][0] > 0


def halves(units: int, canary: float, control: float, *, seed: int) -> str:
    """Share one half, so that large differences show early."""
    random, rows = Random(seed), []
    for _ in range(units):
        drawn = random.random() < 0.5
        bad = int(random.random() < (canary if drawn else control))
        rows.append(json.dumps({"arm": "canary" if drawn else "control", "share": 0.5, "metrics": {"failed": bad}}))
    return "\n".join(rows)


@pytest.mark.promise("REL-7")
@pytest.mark.parametrize(("canary", "units", "better"), [(0.65, 80, "large"), (0.31, 4000, "any")])
def test_bets_on_large_changes_weigh_those_more_and_small_ones_less(canary: float, units: int, better: str) -> None:
    rest = ("--alpha", "0.000000001", "--restarts", "0", "--reference", "failed=0.27")
    text = "\n".join(halves(units, canary, 0.27, seed=seed) for seed in (1, 2))
    found = {bets: told(text, "--bets", bets, *rest) for bets in ("any", "large")}
    assert {name: one["bets"] for name, one in found.items()} == {"any": "any", "large": "large"}
    assert max(found, key=lambda bets: found[bets]["log_e"]) == better
    assert abs(found["any"]["log_e"] - found["large"]["log_e"]) > 0.5


@pytest.mark.promise("REL-7")
def test_pairs_take_the_same_choice() -> None:
    rows = []
    for task in range(60):
        rows.append({"arm": "control", "share": 0.5, "pair": task, "metrics": {"failed": int(task % 4 == 0)}})
        rows.append({"arm": "canary", "share": 0.5, "pair": task, "metrics": {"failed": int(task % 4 != 3)}})
    text = "\n".join(map(json.dumps, rows))
    found = told(text, "--bets", "large")
    assert found["decided_at"] < told(text)["decided_at"]


def test_units_that_have_not_matured_are_not_counted() -> None:
    rows = [
        {"arm": "control", "share": 0.5, "matured_at": f"2026-11-{day:02}T00:00Z", "metrics": {"bad": 0}}
        for day in range(1, 21)
    ]
    found = told("\n".join(map(json.dumps, rows)), "--as-of", "2026-11-05T00:00Z")
    assert (found["units"], found["not_matured"]) == (5, 15)


def good(**changes: Any) -> dict[str, Any]:
    return {"arm": "canary", "share": 0.1, "metrics": {"bad": 0}} | changes


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("nonsense", "line 2"),
        (good(arm="b"), "line 2: Invalid enum value 'b'"),
        (good(share=1.5), "line 2: `share` is 1.5; expected the canary's probability"),
        (good(share=0), "`share` is 0"),
        (good(metrics={"seconds": 341}), "--cap seconds=VALUE"),
        (good(metrics={"bad": -0.1}), "metric bad is -0.1; expected 0 (good) to 1 (bad)"),
        (good(metrics={"bad": "no"}), "line 2: Expected `float | null`"),
        (good(unit="u1"), "unit u1 again; what was randomised is counted once"),
        ({"arm": "canary", "metrics": {}}, "missing required field `share`"),
        ('{"aside": ' + "[" * 100_000, "line 2: nested too deep"),
    ],
)
def test_a_line_that_cannot_be_judged_is_named_and_nothing_is(row: object, said: str) -> None:
    text = json.dumps(good(unit="u1")) + "\n" + (row if isinstance(row, str) else json.dumps(row))
    result = run(text)
    assert result.exit_code == 1
    assert said in result.output
    assert "line 2" in result.output
    assert result.stdout == ""


@pytest.mark.parametrize("written", ["yesterday", "2026-13-01", "1e5"])
def test_an_instant_that_is_none_is_refused(written: str) -> None:
    result = run(json.dumps(good()), "--as-of", written)
    assert result.exit_code == 2
    assert "expected a date" in result.output


def test_totals_beyond_any_crowd_are_refused_and_so_is_a_first_line_without_end() -> None:
    arm = {"units": 10**330, "bad": 10**320}
    result = run(json.dumps({"share": 0.1, "canary": arm, "control": {"units": 5, "bad": 1}}))
    assert result.exit_code == 1
    assert "more units than" in result.output
    assert run("[" * 100_000).exit_code == 1, "and not with a trace"


def test_a_metric_cannot_be_called_as_the_one_that_counts_what_is_missing() -> None:
    result = run(json.dumps(good(metrics={"bad": None, "bad:missing": 1})))
    assert result.exit_code == 1
    assert "metric bad:missing: handrail counts missing outcomes itself" in result.output


def test_stages_that_come_back_are_refused() -> None:
    rows = [good(stage=1), good(stage=2), good(stage=1)]
    result = run("\n".join(map(json.dumps, rows)))
    assert "line 3: stage 1 again after another stage" in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--weight", "speed=2"), "no unit has a metric speed; there are bad"),
        (("--reference", "bad=2"), "the reference of bad is 2; expected a mean between 0 and 1"),
        (("--margin", "0.9"), "a margin is a relative risk above 1"),
        (("--weight", "bad=0"), "no metric has any weight"),
        (("--cap", "bad=0"), "what counts as 1 must be above 0"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(options: tuple[str, ...], said: str) -> None:
    result = run(json.dumps(good()), *options)
    assert result.exit_code == 2
    assert said in result.output


def test_a_cap_makes_seconds_a_score(tmp_path: Path) -> None:
    rows = [good(metrics={"seconds": 60 + at % 7}) | {"arm": "canary" if at % 2 else "control"} for at in range(40)]
    path = tmp_path / "units.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    found = told("", "--input", str(path), "--cap", "seconds=600")
    assert found["metrics"]["seconds"]["kind"] == "score"
    assert 0.1 < found["metrics"]["seconds"]["control"]["mean"] < 0.12


def test_nothing_to_judge_is_said() -> None:
    assert "no unit in the input" in run("").output


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ('{"arm":"canry","share":0.1,"metrics":{"c":0}}', 'expected "canary" or "control"'),
        ('{"arm":"canary","share":0.1,"metrics":{"c":"no"}}', "a number from 0 (good) to 1 (bad), or null"),
        ('{"stage":1,"share":0.1,"canary":{"units":9},"control":{"units":9}}', "cannot stand in one file"),
    ],
)
def test_a_line_that_cannot_be_read_says_what_stands_in_a_right_one(wrong: str, right: str) -> None:
    result = run('{"arm":"control","share":0.1,"metrics":{"c":0}}\n' + wrong)
    assert result.exit_code == 1
    assert "line 2: " in result.output
    assert right in result.output
