"""Figures of the trigger detector on the data packs. Run: .venv/bin/python bench/triggers.py [--wrong N]"""

import argparse
import json
import os
import time
from collections import Counter, defaultdict
from pathlib import Path

from handrail.detectors.base import Text
from handrail.detectors.triggers import triggers_detector
from handrail.terms.finding import Kind, Role

PACKS = Path(os.environ.get("HANDRAIL_PACKS", Path(__file__).resolve().parents[2] / "shared" / "data"))
KINDS = (Kind.COMPLAINT, Kind.LEGAL, Kind.VULNERABILITY, Kind.HUMAN, Kind.LEAVE)


def rows(path: str) -> list[dict[str, object]]:
    with (PACKS / path).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--wrong", type=int, default=0)
    wrong = parser.parse_args().wrong
    detector = triggers_detector()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    shown: Counter[str] = Counter()

    def look(text: str, group: str, want: Kind | None) -> None:
        found = detector.find(Text(text=text, role=Role.USER), "en")
        kinds = {f.kind for f in found}
        counts[group]["n"] += 1
        counts[group].update(kinds)
        odd = kinds if want is None else ({want} - kinds)
        for kind in odd:
            if shown[f"{group} {kind}"] < wrong:
                shown[f"{group} {kind}"] += 1
                print(f"    {group} {kind} {[f.reason for f in found if f.kind is kind]} {text[:160]!r}")

    for row in rows("complaints/cfpb.jsonl"):
        look(str(row["text"]), "cfpb", Kind.COMPLAINT)
        if row["legal_terms_weak"]:
            look(str(row["text"]), "cfpb with weak legal terms", Kind.LEGAL)
    for name in ("clinc150", "banking77", "nlupp", "hint3", "multidogo"):
        for row in rows(f"intents/{name}.jsonl"):
            look(str(row["text"]), name, None)
    want = {"complaint": Kind.COMPLAINT, "contact_human_agent": Kind.HUMAN, "delete_account": Kind.LEAVE}
    for row in rows("intents/bitext.jsonl"):
        intent = str(row["intent"])
        look(str(row["text"]), f"bitext {intent}" if intent in want else "bitext other", want.get(intent))
    for row in rows("multilingual/xsid.jsonl"):
        look(str(row["text"]), "xsid", None)
    print(f"{'group':32}{'n':>7}" + "".join(f"{kind:>15}" for kind in KINDS))
    for group, count in sorted(counts.items()):
        shares = "".join(f"{100 * count[kind] / count['n']:14.2f}%" for kind in KINDS)
        print(f"{group:32}{count['n']:7}{shares}")

    texts = [str(row["text"]) for row in rows("intents/clinc150.jsonl")][:4000]
    for text in texts[:100]:
        detector.find(Text(text=text, role=Role.USER), "en")
    started = time.process_time()
    for text in texts:
        detector.find(Text(text=text, role=Role.USER), "en")
    print(f"\ncost: {(time.process_time() - started) / len(texts) * 1e6:.1f} us per CLINC150 utterance")


if __name__ == "__main__":
    main()
