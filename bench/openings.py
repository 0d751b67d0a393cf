"""How conversations open: how well and how cheaply intents are named, and how often and how soon the input alarms.

`python bench/openings.py [--packs FOLDER] [--only intents,input] [--quick 1]`. Intents: declared with N utterances
each, other utterances of the packs named; out-of-scope ones are what `other` is for. Input: openings with
five of 64 topics (shares as 1/rank), a length and question marks, 2,600 of them as the past; false alarms are counted
at a promise of 1,000, so that there are enough to count, delays at 100,000.
"""

import argparse
import json
import random
import time
from collections import defaultdict
from pathlib import Path

from handrail.detectors.intents import OTHER, learn
from handrail.terms.ids import UseCaseId
from handrail.watch import inputs

DAY = 86_400_000


def intents(packs: Path, quick: float) -> None:
    clinc = _rows(packs, "clinc150")
    outside = [row["text"] for row in clinc if row["out_of_scope"]]
    for name, rows, most in (
        ("clinc150", clinc, 50), ("bitext", _rows(packs, "bitext"), 27), ("banking77", _rows(packs, "banking77"), 50),
    ):  # fmt: skip
        for known in (5, 10, 20):
            found = [_named(rows, outside, most, known, seed) for seed in range(max(1, round(3 * quick)))]
            right, wrong, other, outside_other, us = (sum(each) / len(found) for each in zip(*found, strict=True))
            print(
                f"{name:10} {most} intents, {known:2} examples: right {right:.1%}, wrong {wrong:.1%}, "
                f"other {other:.1%}; out of scope taken as other {outside_other:.1%}; {us:.1f} us",
                flush=True,
            )


def _rows(packs: Path, name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (packs / "intents" / f"{name}.jsonl").read_text().splitlines()]


def _named(
    rows: list[dict[str, str]], outside: list[str], most: int, known: int, seed: int
) -> tuple[float, float, float, float, float]:
    draw, by = random.Random(seed), defaultdict(list)
    for row in rows:
        if not row.get("out_of_scope"):
            by[row["intent"]].append(row["text"])
    chosen = draw.sample(sorted(by), min(most, len(by)))
    for name in chosen:
        draw.shuffle(by[name])
    made = learn({name: by[name][:known] for name in chosen})
    said = [(text, name) for name in chosen for text in by[name][known : known + 20]]
    begun = time.process_time()
    got = [(made.of(text), name) for text, name in said]
    us = (time.process_time() - begun) / len(said) * 1e6
    right = sum(one == name for one, name in got) / len(got)
    other = sum(one == OTHER for one, _ in got) / len(got)
    return right, 1 - right - other, other, sum(made.of(text) == OTHER for text in outside) / len(outside), us


def _opening(draw: random.Random, new: float) -> inputs.Features:
    topics = {min(63, int(64 ** draw.random())) for _ in range(5)} | ({60} if draw.random() < new else set())
    return tuple(
        sorted(
            {
                f"size:{draw.choice((5, 6, 6, 7, 7, 8))}",
                f"questions:{draw.choice((0, 0, 1, 2))}",
                f"language:{'en' if draw.random() < 0.8 else 'de'}",
                *(f"topic:{one}" for one in topics),
            }
        )
    )


def _learnt(draw: random.Random, wanted: int) -> inputs.Input:
    one = inputs.begun(UseCaseId("bench"), "UTC", wanted)
    for at in range(2_600):
        one, _ = inputs.after(one, at * 8 * DAY // 2_600, _opening(draw, 0), "")
    return one


def drift(quick: float) -> None:
    alarms = cases = 0
    begun = time.process_time()
    for seed in range(round(60 * quick)):
        draw = random.Random(seed)
        one = _learnt(draw, 1_000)
        for at in range(3_000):
            before = one.watched
            one, alarm = inputs.after(one, 9 * DAY + at * 8 * DAY // 3_000, _opening(draw, 0), "")
            cases += one.watched - before
            if alarm is not None:
                alarms += 1
                one = inputs.answered(one)
    us = (time.process_time() - begun) / max(cases, 1) * 1e6
    print(
        f"nothing changed, promised 1,000: {alarms} alarms in {cases} pairs, {cases / max(alarms, 1):.0f} apart; "
        f"{us:.0f} us"
    )
    for new in (0.05, 0.1, 0.2, 0.4):
        delays = []
        for seed in range(round(15 * quick)):
            draw = random.Random(1_000 + seed)
            one = _learnt(draw, 100_000)
            for at in range(9_000):
                one, alarm = inputs.after(one, 9 * DAY + at * 8 * DAY // 3_000, _opening(draw, new), "")
                if alarm is not None:
                    break
            delays.append(at + 1)
        delays.sort()
        print(
            f"a new topic in {new:.0%}: median {delays[len(delays) // 2]} conversations, slowest {delays[-1]}",
            flush=True,
        )


def main() -> None:
    given = argparse.ArgumentParser()
    given.add_argument("--packs", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    given.add_argument("--only", default="intents,input")
    given.add_argument("--quick", type=float, default=1.0, help="part of the runs, for a look")
    options = given.parse_args()
    if "intents" in options.only:
        intents(options.packs, options.quick)
    if "input" in options.only:
        drift(options.quick)


if __name__ == "__main__":
    main()
