"""The dictionary that payloads are compressed with: collected once from this project's own texts, then trained.

    python scripts/train/payload_dictionary.py            trains payload-N.dict from payloads-N.jsonl, to compare
    python scripts/train/payload_dictionary.py --write    and writes it: only for a dictionary that was never released
    python scripts/train/payload_dictionary.py --collect  first gathers the samples anew: for the next dictionary

A dictionary that has sealed one payload is needed for good, so both files of a number stay as they are, whatever the
texts they came from become. Training has no randomness; another release of zstd may still choose otherwise, and then
the file that is shipped is the one that counts (its digest is pinned by a test).

Samples are texts that were written for this project, in the form in which interactions are recorded: what the demo
plays and its models say, example conversations in eight languages, complaints, sentences of documents. Guides and the
console's sentences were tried and made it worse: nobody talks like that. Left out is every text with something personal
in it, the demo's made-up customers included: whatever a detector takes for personal or secret, and every run of three
digits.
"""

import argparse
import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
import zstandard
from ruamel.yaml import YAML

from handrail.app.wire.request import ranking_runner
from handrail.detectors.run import Runner
from handrail.detectors.scan import scan
from handrail.guard.record import Payload, Said
from handrail.ledger.seal import DICTIONARY, ZSTD_LEVEL
from handrail.policy.evaluate import DecisionInput, Found, Side, encode
from handrail.terms.finding import PERSONAL, Kind, Role
from handrail.terms.ids import UseCaseId

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/handrail"
NUMBER = 1
SAMPLES = ROOT / f"scripts/train/own/payloads-{NUMBER}.jsonl"
SIZE, SEGMENT, LETTERS = 8_192, 256, 8
"""Bytes: of the whole, of a piece of it, and of what is counted in a piece. Half the size: 1 to 2 % more to keep."""
SECRET = re.compile(r"\d{3}|@|://|kp-")
TURNS = (1, 2, 3, 5)
"""Texts in a sample, in turn: most interactions add one message and an answer."""


def train(gathered: list[bytes]) -> bytes:
    """The dictionary. Its number stands in each frame, in one byte."""
    made = zstandard.train_dictionary(SIZE, gathered, k=SEGMENT, d=LETTERS, dict_id=NUMBER, level=ZSTD_LEVEL)
    return made.as_bytes()


def samples() -> list[bytes]:
    """Those that were gathered, one on each line."""
    return SAMPLES.read_bytes().splitlines()


def collect() -> Iterator[bytes]:
    """Samples: the texts of each source one after the other, as messages and their answer."""
    yaml = YAML(typ="safe", pure=True)
    cases = sorted((SOURCE / "app/demo/home/use-cases").glob("*.yaml"))
    names = [UseCaseId(path.stem) for path in cases]
    runner = ranking_runner()
    at = 0
    for source in _sources(yaml):
        texts = [text for text in source if not SECRET.search(text) and not _personal(text, runner)]
        place = 0
        while place + 1 < len(texts):
            count = TURNS[at % len(TURNS)]
            said, answer = texts[place : place + count], texts[min(place + count, len(texts) - 1)]
            yield _sample(said, answer, names[at % len(names)])
            place += count + 1
            at += 1


def _sample(said: list[str], answer: str, use_case: UseCaseId) -> bytes:
    messages = [Said(Role.USER if at % 2 == 0 else Role.ASSISTANT, (text,)) for at, text in enumerate(said)]
    found = (Found(Kind.CARD, Side.INPUT, Role.USER, 0.99),) if len(said) == 2 else ()
    decided = (
        DecisionInput(use_case=use_case, language="de" if " und " in said[0] else "en", found=found),
        DecisionInput(use_case=use_case),
    )
    return msgspec.json.encode(
        Payload(
            messages=tuple(messages),
            answer=(Said(Role.ASSISTANT, (answer,)),),
            decided=tuple(msgspec.Raw(encode(side)) for side in decided),
        )
    )


def _sources(yaml: YAML) -> Iterator[list[str]]:
    """Texts that stand together, each list in the order of its file."""
    demo = SOURCE / "app/demo"
    talks = yaml.load((demo / "play.yaml").read_text("utf-8"))["conversations"]
    yield [turn["says"] for talk in talks for turn in talk["turns"]]
    for script in (demo / "script.json", SOURCE / "app/scripted_model/default_script.json"):
        yield [reply["text"] for reply in json.loads(script.read_text("utf-8"))["replies"] if "text" in reply]
    yield [scene["says"] for scene in yaml.load((demo / "acts.yaml").read_text("utf-8"))["scenes"]]
    for own in ("service", "complaints", "instructions"):
        lines = (ROOT / f"scripts/train/own/{own}.txt").read_text("utf-8").splitlines()
        yield [line.removeprefix("+ ").removeprefix("- ") for line in lines if not line.startswith("#")]


def _personal(text: str, runner: Runner) -> bool:
    return any(each.kind in PERSONAL for each in scan({"id": "", "text": text}, runner).findings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collect", action="store_true")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if args.collect:
        SAMPLES.write_bytes(b"".join(sample + b"\n" for sample in collect()))
    made = train(samples())
    if args.write:
        DICTIONARY.write_bytes(made)
    same = DICTIONARY.exists() and DICTIONARY.read_bytes() == made
    print(f"{len(made):,} bytes, SHA-256 {sha256(made).hexdigest()}, {'as' if same else 'NOT as'} shipped")


if __name__ == "__main__":
    main()
