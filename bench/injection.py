"""Figures of the injection detector on the data packs: per channel, source, language and attack family.

Run: .venv/bin/python bench/injection.py [--wrong N]  (packs: HANDRAIL_PACKS, default ../shared/data).
With --wrong N the first N wrong rows of each group are printed, cut to 200 characters. The linear models have seen part
of these rows; `scripts/train/detectors.py` prints the figures of the whole detector on rows no training saw.
"""

import argparse
import json
import os
import time
from collections import Counter, defaultdict
from pathlib import Path

from handrail.detectors.base import Text
from handrail.detectors.injection import injection_detector
from handrail.terms.finding import Role

PACKS = Path(os.environ.get("HANDRAIL_PACKS", Path(__file__).resolve().parents[2] / "shared" / "data"))
ISO = {
    "English": "en", "German": "de", "French": "fr", "Spanish": "es", "Italian": "it", "Portuguese": "pt",
    "Hindi": "hi", "Bengali": "bn", "Vietnamese": "vi", "Turkish": "tr", "Russian": "ru", "Arabic": "ar",
    "Japanese": "ja", "Korean": "ko", "Chinese": "zh", "Filipino/Tagalog": "tl", "Thai": "th", "Indonesian": "id",
}  # fmt: skip


def rows(path: str) -> list[dict[str, object]]:
    with (PACKS / path).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def table(title: str, groups: dict[str, list[bool]]) -> None:
    print(f"\n{title}")
    for name in sorted(groups):
        flags = groups[name]
        print(f"  {name:55} {sum(flags):5} / {len(flags):5} = {100 * sum(flags) / len(flags):6.2f} %")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--wrong", type=int, default=0)
    wrong = parser.parse_args().wrong
    detector = injection_detector()
    shown: Counter[str] = Counter()

    def flagged(text: str, role: Role, language: str, expected: bool, group: str) -> bool:
        found = detector.find(Text(text=text, role=role), language)
        if bool(found) is not expected and shown[group] < wrong:
            shown[group] += 1
            print(f"    {group}: {[f.reason for f in found]} {text[:200]!r}")
        return bool(found)

    groups: dict[str, list[bool]] = defaultdict(list)
    for row in rows("injections/tool_results.jsonl"):
        attack = bool(row["label"])
        key = f"{'attack' if attack else 'benign'} {row['suite']} {row['attack'] or ''}"
        hit = flagged(str(row["text"]), Role.TOOL, "en", attack, key)
        groups[key].append(hit)
        groups[f"ALL {'attack' if attack else 'benign'}"].append(hit)
    table("tool results (AgentDojo)", groups)

    groups = defaultdict(list)
    for row in rows("injections/documents.jsonl"):
        attack = bool(row["label"])
        key = f"{'attack' if attack else 'benign'} {row['attack'] or ''}"
        hit = flagged(str(row["text"]), Role.DOCUMENT, "en", attack, key)
        groups[key].append(hit)
        groups[f"ALL {'attack' if attack else 'benign'}"].append(hit)
    table("documents (BIPIA)", groups)

    groups = defaultdict(list)
    for row in rows("injections/messages.jsonl"):
        attack = bool(row["label"])
        language = ISO.get(str(row.get("language")), "en")
        role = Role.DOCUMENT if row["channel"] == "document" else Role.USER
        key = f"{row['source']} {row['channel']}"
        hit = flagged(str(row["text"]), role, language, attack, f"{key} {row.get('attack') or ''}")
        groups[key].append(hit)
        groups[f"{key} {row.get('attack') or ''}"].append(hit)
        if row["source"] == "cyberseceval":
            groups[f"{key} language {language}"].append(hit)
    table("messages", groups)

    groups = defaultdict(list)
    for name in ("clinc150", "banking77", "hint3", "nlupp", "multidogo", "bitext"):
        for row in rows(f"intents/{name}.jsonl"):
            hit = flagged(str(row["text"]), Role.USER, "en", False, name)
            groups[name].append(hit)
            groups["ALL intents"].append(hit)
    for row in rows("multilingual/xsid.jsonl"):
        hit = flagged(str(row["text"]), Role.USER, str(row["language"])[:2], False, "xsid")
        groups[f"xsid {row['language']}"].append(hit)
        groups["ALL xsid"].append(hit)
    for row in rows("complaints/cfpb.jsonl"):
        groups["cfpb"].append(flagged(str(row["text"]), Role.USER, "en", False, "cfpb"))
    for row in rows("cx-actions/policies/banking_knowledge_base.jsonl"):
        groups["knowledge base (document)"].append(
            flagged(str(row["content"]), Role.DOCUMENT, "en", False, "knowledge base")
        )
    table("false alarms", groups)

    texts = [str(row["text"]) for row in rows("intents/clinc150.jsonl")][:4000]
    for text in texts[:100]:
        detector.find(Text(text=text, role=Role.USER), "en")
    started = time.process_time()
    for text in texts:
        detector.find(Text(text=text, role=Role.USER), "en")
    print(f"\ncost: {(time.process_time() - started) / len(texts) * 1e6:.1f} us per CLINC150 utterance")


if __name__ == "__main__":
    main()
