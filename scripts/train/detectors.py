"""Train the small models of the injection and trigger detectors, and print their figures on parts no training saw.

Run: .venv/bin/python scripts/train/detectors.py [complaint] [steer] [jailbreak]. Deterministic: the same packs give the
same files. Only packs whose licence allows it (docs/decisions, model cards): MIT, Apache-2.0, CC BY, public data; never
hint3 (ODbL), bitext and multidogo (CDLA), xsid and sgd (share-alike).
"""

import gzip
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from zlib import crc32

sys.path.insert(0, str(Path(__file__).resolve().parent))
import logistic
from logistic import Row, held_out, report, train, write

from handrail.detectors.base import Text
from handrail.detectors.cues import fold
from handrail.detectors.injection import SHORTEST, USER_CUES, injection_detector, sentences
from handrail.detectors.normalise import normalise, unaccent
from handrail.detectors.triggers import LONG, STORY, SURE, triggers_detector
from handrail.terms.finding import Kind, Role

ROOT = Path(__file__).resolve().parents[2]
PACKS = Path(os.environ.get("HANDRAIL_PACKS", ROOT.parent / "shared" / "data"))
DATA = ROOT / "src" / "handrail" / "detectors" / "data"
OWN = Path(__file__).resolve().parent / "own"
COMPLAINT_FROM, STEER_FROM, JAILBREAK_FROM = 0.4, 0.9, 0.8
"""Probabilities from which each model's answer counts, chosen on held-out rows."""


def rows(path: str) -> Iterator[dict[str, object]]:
    opener = gzip.open if path.endswith(".gz") else open
    with opener(PACKS / path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def own(name: str) -> Iterator[tuple[int, str]]:
    for line in (OWN / name).read_text(encoding="utf-8").splitlines():
        if line[:2] in ("+ ", "- "):
            yield int(line[0] == "+"), line[2:]


def kept_out(text: str) -> bool:
    """A fifth of the narratives, jailbreaks and NotInject prompts that no shipped model has seen: the tests use it."""
    return crc32(text.encode()) % 5 == 0


def some(items: Iterable[str], of: int, keep: int) -> list[str]:
    """A fixed part of the distinct items: those whose hash falls into `keep` of `of`."""
    return [text for text in dict.fromkeys(items) if crc32(text.encode()) % of < keep]


def star_customers() -> Iterator[str]:
    """The customer's side of each human dialogue as one text: long, and seldom a complaint."""
    for row in rows("dialogues/star.jsonl.gz"):
        said = [str(e["text"]) for e in row["events"] if e["who"] == "customer" and e.get("text")]
        yield " ".join(said)
        yield from said


def tau_customers() -> Iterator[str]:
    for row in rows("cx-actions/trajectories.jsonl.gz"):
        for message in row["messages"]:
            if message["role"] == "user" and isinstance(message["content"], str):
                yield message["content"]


def folds(data: list[Row], count: int) -> dict[str, int]:
    """Whole groups into folds, by the hash of their name."""
    return {group: crc32(group.encode()) % count for group in sorted({row.group for row in data})}


def complaint() -> None:
    """Narratives against everyday messages. Held out: whole carriers of the CFPB rows, CLINC150's validation split."""
    data = [Row(fold(str(r["text"])), 1, f"cfpb {r['source']}") for r in rows("complaints/cfpb.jsonl")]
    for label, text in own("complaints.txt"):
        data.append(Row(fold(text), label, f"own {crc32(text.encode()) % 5}", 4.0))
    out = {fold(str(r["text"])) for r in rows("complaints/cfpb.jsonl") if kept_out(str(r["text"]))}
    clinc = list(rows("intents/clinc150.jsonl"))
    data += [
        Row(fold(t), 0, f"clinc {crc32(t.encode()) % 5}")
        for t in some((str(r["text"]) for r in clinc if r["split"] in ("train", "oos_train")), 3, 1)
    ]
    data += [Row(fold(t), 0, f"star {crc32(t.encode()) % 5}", 0.5) for t in some(star_customers(), 4, 1)]
    data += [Row(fold(t), 0, f"tau {crc32(t.encode()) % 5}") for t in some(tau_customers(), 4, 1)]
    data += [Row(fold(str(r["text"])), 0, "notinject") for r in rows("injections/messages.jsonl") if not r["label"]]
    scored = held_out(data, folds(data, 5), 5)
    report("complaint", scored, (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9))
    unseen_stories(scored)
    weights, bias = train([row for row in data if row.plain not in out])
    unseen = [Row(fold(str(r["text"])), 0, "val") for r in clinc if r["split"] in ("val", "oos_val")]
    for threshold in (0.5, 0.6, 0.7, 0.8):
        wrong = sum(logistic.probability(r, weights, bias) >= threshold for r in unseen)
        print(f"  CLINC150 validation (unseen) at {threshold}: {wrong} of {len(unseen)}")
    write(DATA / "complaint.model", weights, bias, COMPLAINT_FROM)


def unseen_documents(data: list[Row], threshold: float) -> None:
    """The whole detector on documents whose attack family (and, for honest ones, whose mails) no training saw."""
    shipped = injection_detector()
    found: dict[str, list[bool]] = {}
    documents = list(rows("injections/documents.jsonl"))
    groups = sorted({group_of(row) for row in documents})
    for part in range(0, len(groups), 4):
        out = set(groups[part : part + 4])
        weights, bias = train([row for row in data if row.group not in out])
        steered = replace(shipped, steer=logistic.as_linear(weights, bias, threshold))
        ruled = replace(shipped, steer=logistic.as_linear(weights, bias, 1.1))
        for row in documents:
            if group_of(row) in out:
                text = Text(text=str(row["text"]), role=Role.DOCUMENT)
                for name, detector in (("rules and model", steered), ("rules alone", ruled)):
                    kind = "attack" if row["label"] else "honest"
                    found.setdefault(f"{name}: {kind}", []).append(bool(detector.find(text, "en")))
                    if row["label"] and name == "rules and model":
                        found.setdefault(f"    {group_of(row)}", []).append(bool(detector.find(text, "en")))
    for name, flags in sorted(found.items()):
        print(f"  unseen family, {name}: {sum(flags)} of {len(flags)} = {sum(flags) / len(flags):.2%}")


def group_of(row: dict[str, object]) -> str:
    return f"family {row['attack']}" if row["label"] else f"mail {crc32(str(row['text']).encode()) % 8}"


def unseen_suites(data: list[Row], threshold: float) -> None:
    """The whole detector on the tool results of a suite that no training saw."""
    shipped = injection_detector()
    for suite in ("banking", "slack", "workspace", "travel"):
        weights, bias = train([row for row in data if row.group != f"suite {suite}"])
        detector = replace(shipped, steer=logistic.as_linear(weights, bias, threshold))
        flags: dict[int, list[bool]] = {0: [], 1: []}
        texts = {
            (int(r["label"]), str(r["text"])) for r in rows("injections/tool_results.jsonl") if r["suite"] == suite
        }
        texts |= {(0, text) for group, text in benign_tool_texts() if group == f"suite {suite}"}
        for label, text in sorted(texts):
            flags[label].append(bool(detector.find(Text(text=text, role=Role.TOOL), "en")))
        shares = [f"{sum(f)} of {len(f)}" for f in (flags[1], flags[0])]
        print(f"  unseen suite {suite}: attacks found {shares[0]}, honest flagged {shares[1]}")


def unseen_messages(scored: list[tuple[Row, float]], threshold: float) -> None:
    """The whole detector on user messages: rules, or the held-out model behind its gate."""
    shipped = injection_detector()
    found: dict[str, list[bool]] = {}
    for row, sure in scored:
        present = shipped.cues.present(row.plain)
        ruled = bool(shipped._hits(row.plain, present, Role.USER, "en"))
        asked = len(row.plain) >= SHORTEST and len(present & USER_CUES) >= 2
        for name, flag in (("rules alone", ruled), ("rules and model", ruled or (asked and sure >= threshold))):
            found.setdefault(f"{row.group.split()[0]:10} {name}", []).append(flag)
    for name, flags in sorted(found.items()):
        print(f"  unseen {name}: {sum(flags)} of {len(flags)} = {sum(flags) / len(flags):.2%}")


def unseen_stories(scored: list[tuple[Row, float]]) -> None:
    """The whole detector on texts whose group no training saw: rules, or the held-out model behind its gate."""
    shipped = triggers_detector()
    found: dict[str, list[bool]] = {}
    for row, sure in scored:
        present = shipped.cues.present(row.plain)
        ruled = any(hit.kind is Kind.COMPLAINT for hit in shipped.cues.hits(row.plain, present, Role.USER))
        ruled = ruled or any(tally.holds(present, row.plain, "en") for tally in shipped.cues.tallies)
        cued = bool(present & STORY) and sure >= COMPLAINT_FROM
        both = ruled or cued or (len(row.plain) >= LONG and sure >= SURE)
        name = f"{row.group.split()[0]} {'complaint' if row.label else 'other'}"
        found.setdefault(f"{name}, rules alone", []).append(ruled)
        found.setdefault(f"{name}, rules and model", []).append(both)
    for name, flags in sorted(found.items()):
        print(f"  unseen {name}: {sum(flags)} of {len(flags)} = {sum(flags) / len(flags):.2%}")


def benign_tool_texts() -> Iterator[tuple[str, str]]:
    """(group, text) of tool results, e-mails and documents without an attack."""
    for row in rows("injections/tool_results.jsonl"):
        if not row["label"]:
            yield f"suite {row['suite']}", str(row["text"])
    for row in rows("injections/documents.jsonl"):
        if not row["label"]:
            yield f"mail {crc32(str(row['text']).encode()) % 8}", str(row["text"])
    for row in rows("agent-runs/transcripts.jsonl.gz"):
        if row["attack"] == "none":
            for message in row["messages"]:
                if message["role"] == "tool" and isinstance(message["content"], str):
                    yield f"suite {row['suite']}", message["content"]
    for row in rows("cx-actions/policies/banking_knowledge_base.jsonl"):
        yield f"base {crc32(str(row['doc_id']).encode()) % 8}", str(row["content"])
    for row in rows("dialogues/star.jsonl.gz"):
        for event in row["events"]:
            if event["who"] == "agent" and event.get("text"):
                yield f"star {crc32(str(row['id']).encode()) % 8}", str(event["text"])


def pieces(text: str) -> list[str]:
    """The folded sentences of a text, as the detector cuts them."""
    cased = normalise(text).text
    plain = unaccent(cased)
    return [plain[start:end] for start, end in sentences(cased)]


def steer() -> None:
    """Sentences that steer an assistant against sentences of ordinary results. Held out: suites, families, sources."""
    benign: dict[str, str] = {}
    for group, text in benign_tool_texts():
        for plain in pieces(text):
            benign.setdefault(plain, group)
    data = [Row(plain, 0, group) for plain, group in benign.items() if len(plain) > 8]
    seen: set[str] = set()

    def positive(text: str, group: str, weight: float = 1.0) -> None:
        for plain in pieces(text):
            if plain not in seen and plain not in benign and len(plain.split()) > 3:
                seen.add(plain)
                data.append(Row(plain, 1, group, weight))

    for row in rows("injections/documents.jsonl"):
        lines = [line for line in str(row["text"]).splitlines() if line.strip()]
        if row["position"] in ("start", "end"):  # in the middle the attack cannot be told from the letter
            positive(lines[0] if row["position"] == "start" else lines[-1], f"family {row['attack']}", 2.0)
    for row in rows("agent-runs/transcripts.jsonl.gz"):
        for text in (row.get("injections") or {}).values():
            positive(str(text), "suite banking", 2.0)
    for row in rows("injections/messages.jsonl"):
        if row["source"] == "notinject":
            positive(str(row["text"]), f"prompt {crc32(str(row['text']).encode()) % 8}")
    for label, text in own("instructions.txt"):
        data.append(Row(fold(text), label, f"own {crc32(text.encode()) % 8}", 3.0))
    scored = held_out(data, folds(data, 6), 6)
    report("steer", scored, (0.5, 0.7, 0.8, 0.9, 0.95, 0.98))
    for group in sorted({r.group for r, _ in scored if r.label == 1}):
        ps = [p for r, p in scored if r.label == 1 and r.group == group]
        print(f"    {group:40} {sum(p >= 0.9 for p in ps)} of {len(ps)} at 0.9")
    unseen_documents(data, STEER_FROM)
    unseen_suites(data, STEER_FROM)
    weights, bias = train(data)
    write(DATA / "steer.model", weights, bias, STEER_FROM)


def jailbreak() -> None:
    """Attacks by users (English) against what customers and other people ask. Held out: families, hashed parts."""
    data: list[Row] = []
    for row in rows("injections/messages.jsonl"):
        text = str(row["text"])
        if row["source"] == "garak":
            data.append(Row(fold(text), 1, f"garak {crc32(text[:60].encode()) % 10}"))
        elif row["source"] == "notinject":
            data.append(Row(fold(text), 0, f"notinject {crc32(text.encode()) % 10}", 4.0))
        elif row["language"] == "English" and row["channel"] == "user_message":
            data.append(Row(fold(text), 1, f"family {row['attack']}", 2.0))
    for name, of in (("clinc150", 6), ("banking77", 4), ("nlupp", 1)):
        texts = some((str(r["text"]) for r in rows(f"intents/{name}.jsonl")), of, 1)
        data += [Row(fold(t), 0, f"{name} {crc32(t.encode()) % 10}") for t in texts]
    data += [Row(fold(t), 0, f"star {crc32(t.encode()) % 10}") for t in some(star_customers(), 4, 1)]
    data += [Row(fold(t), 0, f"tau {crc32(t.encode()) % 10}") for t in some(tau_customers(), 2, 1)]
    data += [
        Row(fold(str(r["text"])), 0, f"cfpb {crc32(str(r['id']).encode()) % 10}") for r in rows("complaints/cfpb.jsonl")
    ]
    scored = held_out(data, folds(data, 6), 6)
    report("jailbreak", scored, (0.5, 0.7, 0.8, 0.9, 0.95, 0.98))
    for prefix in ("garak", "family", "notinject", "clinc150", "banking77", "nlupp", "star", "tau", "cfpb"):
        ps = [p for r, p in scored if r.group.startswith(prefix)]
        print(f"    {prefix:12} flagged {sum(p >= 0.9 for p in ps)} of {len(ps)} at 0.9")
    unseen_messages(scored, JAILBREAK_FROM)
    out = {fold(str(r["text"])) for r in rows("injections/messages.jsonl") if kept_out(str(r["text"]))}
    weights, bias = train([row for row in data if row.plain not in out])
    write(DATA / "jailbreak.model", weights, bias, JAILBREAK_FROM)


if __name__ == "__main__":
    for name in sys.argv[1:] or ["complaint", "steer", "jailbreak"]:
        {"complaint": complaint, "steer": steer, "jailbreak": jailbreak}[name]()
