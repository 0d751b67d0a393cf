"""Measures the personal-data detectors on the packs and the generator: per label, per language, and CPU time.

    .venv/bin/python bench/detectors.py            needs HANDRAIL_PACKS (default ../shared/data), guards beside it

Prints facts only. Matching: a gold span counts as found when a finding covers at least half of it; `kind` asks for the
right kind, `any` for any personal kind (what masking needs).
"""

import collections
import gzip
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import sys
import time

from handrail.detectors.base import Text
from handrail.detectors.catalogue import built_in
from handrail.detectors.language import guess
from handrail.detectors.pii import AddressDetector, HealthDetector, PersonalDetector, ReplyDetector, find_personal
from handrail.detectors.run import Runner
from handrail.detectors.window import Window
from handrail.guard.screen import WANTED
from handrail.policy.evaluate import Side
from handrail.terms.finding import PERSONAL, Kind, Role

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKS = pathlib.Path(os.environ.get("HANDRAIL_PACKS", ROOT.parent / "shared" / "data"))
GUARDS = ROOT.parent / "shared" / "bench" / "guards"

GENERATOR_LABELS = {
    "CARD": "CREDIT_CARD", "IBAN": "IBAN", "EMAIL": "EMAIL", "PHONE": "PHONE", "SSN": "US_SSN", "NINO": "UK_NINO",
    "IP": "IP", "DOB": "DOB",
}  # fmt: skip
CHAT_LABELS = {
    "CARD_NUMBER": "CARD", "ACCOUNT_NUMBER": "ACCOUNT", "PASSWORD": "PASSWORD", "PHONE": "PHONE", "SSN": "SSN",
    "EMAIL": "EMAIL", "ADDRESS": "ADDRESS", "ZIP": "POSTCODE", "PERSON": "PERSON",
}  # fmt: skip
PACK_LABELS = {
    "CREDIT_CARD": "CARD", "PHONE_NUMBER": "PHONE", "EMAIL_ADDRESS": "EMAIL", "IBAN_CODE": "IBAN", "IP_ADDRESS": "IP",
    "PERSON": "PERSON", "STREET_ADDRESS": "ADDRESS", "ZIP_CODE": "POSTCODE",
}  # fmt: skip


def module(name):
    spec = importlib.util.spec_from_file_location(name, GUARDS / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def rows(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def runner():
    return Runner((PersonalDetector(), ReplyDetector(), AddressDetector(), HealthDetector(), *extra()), lambda: 0.0)


def extra():
    return tuple(
        one for one in built_in() if one.kinds & PERSONAL and one.name not in ("personal", "reply", "address", "health")
    )


RUNNER = None
KINDS = frozenset(Kind)


def found(text, asked=""):
    global RUNNER
    RUNNER = RUNNER or runner()
    return RUNNER.screen(Text(text=text, role=Role.USER, language="en", asked=asked), PERSONAL).findings


def generated(seed, count):
    generator, scorer = module("piigen"), module("pii_score")
    messages = list(generator.make(seed, count))
    find_personal(messages[0]["text"])
    started = time.process_time()
    found_in = [find_personal(message["text"]) for message in messages]
    spent = time.process_time() - started
    labels = list(GENERATOR_LABELS.values())
    predicted = [
        [(f.start, f.end, GENERATOR_LABELS[f.kind]) for f in findings if f.kind in GENERATOR_LABELS]
        for findings in found_in
    ]
    scorer.show(f"generator seed {seed}", scorer.score(messages, predicted, labels), labels)
    by_language = collections.defaultdict(list)
    for message, findings in zip(messages, predicted, strict=True):
        by_language[message["lang"]].append((message, findings))
    for language, pairs in sorted(by_language.items()):
        result = scorer.score([m for m, _ in pairs], [p for _, p in pairs], labels)
        right, lost, wrong = (sum(result[key].values()) for key in ("tp", "fn", "fp"))
        print(f"   {language}: F1 {2 * right / max(2 * right + lost + wrong, 1):.3f} ({right + lost} spans)")
    print(f"   {count / spent:,.0f} messages/s of CPU")
    return messages, found_in


def half(text):
    """0 or 1: rules were chosen on half 0 of the chat pack and of STAR, half 1 was only measured."""
    return hashlib.sha256(text.encode()).digest()[0] % 2


WORDS = {
    "PERSON": "name", "EMAIL": "email address", "PHONE": "phone number", "SSN": "last four digits of your SSN",
    "CARD_NUMBER": "credit card number", "ACCOUNT_NUMBER": "account number", "ADDRESS": "address", "ZIP": "zip code",
    "PASSWORD": "password", "USERNAME": "username", "CUSTOMER_ID": "customer id",
}  # fmt: skip


def naming(row):
    """A question that names what the labels of the row say. The pack holds no questions: with this one the figures are
    what can be reached where the question is known, not what the pack shows."""
    labels = dict.fromkeys(span["label"] for span in sorted(row["spans"], key=lambda span: span["start"]))
    if not labels:
        return "Is there anything else I can help you with?"
    return f"Could you please tell me your {' and your '.join(WORDS[label] for label in labels)}?"


def pack(name, labels, only=None, question=None):
    texts = [row for row in rows(PACKS / "pii" / name) if only is None or half(row["text"]) == only]
    tally = collections.defaultdict(collections.Counter)
    misses = collections.defaultdict(list)
    alarms = collections.defaultdict(list)
    for row in texts:
        findings = found(row["text"], question(row) if question else "")
        for span in row["spans"]:
            kind = labels.get(span["label"])
            if kind is None:
                continue
            least = (span["end"] - span["start"]) / 2
            near = [f for f in findings if min(f.end, span["end"]) - max(f.start, span["start"]) >= least]
            tally[kind]["gold"] += 1
            tally[kind]["any"] += bool(near)
            tally[kind]["kind"] += any(f.kind == kind for f in near)
            if not near:
                misses[kind].append((row["text"], span["text"]))
        for f in findings:
            touching = [s for s in row["spans"] if s["start"] < f.end and f.start < s["end"]]
            tally[f.kind]["found"] += 1
            tally[f.kind]["right_any"] += bool(touching)
            tally[f.kind]["right_kind"] += any(labels.get(s["label"]) == f.kind for s in touching)
            if not touching:
                alarms[f.kind].append((row["text"], row["text"][f.start : f.end], f.reason))
    part = ("" if only is None else f", half {only}") + (", the question names what the labels say" if question else "")
    print(f"## {name}{part}: recall kind/any, precision kind/any")
    for kind in sorted(tally):
        t = tally[kind]
        print(
            f"   {kind:9s} R {t['kind'] / max(t['gold'], 1):.3f} / {t['any'] / max(t['gold'], 1):.3f} ({t['gold']})  "
            f"P {t['right_kind'] / max(t['found'], 1):.3f} / {t['right_any'] / max(t['found'], 1):.3f} ({t['found']})"
        )
    return misses, alarms


CHAT_GOAL = ("CARD", "ACCOUNT", "PASSWORD", "PHONE")


def chat_by_scorer(question=None):
    """The chat pack by the harness's own scorer, by exact kind: over the four labels together, and each. What is found
    of these kinds in a span of another label, or in none, is a false alarm."""
    scorer = module("pii_score")
    messages, predicted = [], []
    for row in rows(PACKS / "pii" / "chat.jsonl"):
        spans = [
            {**span, "label": CHAT_LABELS[span["label"]], "form": "chat"}
            for span in row["spans"]
            if CHAT_LABELS.get(span["label"]) in CHAT_GOAL
        ]
        messages.append({"spans": spans, "negatives": []})
        findings = found(row["text"], question(row) if question else "")
        predicted.append([(f.start, f.end, f.kind.value) for f in findings])
    name = "chat by the scorer" + (", the question names what the labels say" if question else "")
    scorer.show(name, scorer.score(messages, predicted, CHAT_GOAL), CHAT_GOAL)


ARGUMENTS = {"AccountNumber": "ACCOUNT", "PIN": "PIN", "DateOfBirth": "DOB"} | dict.fromkeys(
    ("FullName", "CustomerName", "PatientName", "RenterName", "HostName", "UserName"), "PERSON"
)
ACTS = {"bank_ask_account_number": "ACCOUNT", "bank_ask_pin": "PIN", "bank_ask_dob": "DOB", "ask_name": "PERSON"}


def turns(only):
    """The customer's turns of STAR with the agent's question, the kind the agent chose to ask for, and the values that
    the agent later put into a call: kind, start, end."""
    with gzip.open(PACKS / "dialogues" / "star.jsonl.gz", "rt", encoding="utf-8") as lines:
        talks = [talk for talk in map(json.loads, lines) if half(str(talk["id"])) == only]
    for talk in talks:
        values = {
            (ARGUMENTS[name], str(value).strip('"').lower())
            for event in talk["events"]
            if event.get("call") and event["who"] == "agent"
            for name, value in event["arguments"].items()
            if name in ARGUMENTS and len(str(value)) > 2
        }
        question, kind = "", None
        for event in talk["events"]:
            if event["who"] == "agent" and event.get("text"):
                question, kind = event["text"], ACTS.get(event.get("act"))
            elif event["who"] == "customer":
                text = event["text"]
                gold = [
                    (kind_of, *match.span())
                    for kind_of, value in values
                    for match in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text.lower())
                ]
                yield text, question, kind, gold


def answered(only):
    """How much the question before it adds, on conversations of two people (STAR)."""
    tally = collections.Counter()
    for text, question, kind, gold in turns(only):
        for mode, asked in (("alone", ""), ("asked", question)):
            findings = found(text, asked)
            for wanted, start, end in gold:
                near = [f for f in findings if 2 * (min(end, f.end) - max(start, f.start)) >= end - start]
                tally[mode, wanted, "gold"] += 1
                tally[mode, wanted, "kind"] += any(f.kind == wanted for f in near)
                tally[mode, wanted, "any"] += bool(near)
            for f in findings if mode == "asked" else ():
                if f.reason == "asked":
                    tally[f.kind.value, "found"] += 1
                    tally[f.kind.value, "right"] += f.kind == kind or any(
                        f.kind == wanted and f.start < end and start < f.end for wanted, start, end in gold
                    )
    print(f"## STAR, half {only}: recall kind/any without and with the question; of what the question named, right")
    for kind in ("ACCOUNT", "PIN", "DOB", "PERSON"):
        total = max(tally["alone", kind, "gold"], 1)
        shares = [tally[mode, kind, what] / total for mode in ("alone", "asked") for what in ("kind", "any")]
        print(
            f"   {kind:8s} {shares[0]:.3f} / {shares[1]:.3f}   {shares[2]:.3f} / {shares[3]:.3f} ({total})  "
            f"{tally[kind, 'right']} of {tally[kind, 'found']}"
        )


def utterances():
    print("## false alarms on utterances (no personal data expected)")
    for path in [*sorted((PACKS / "intents").glob("*.jsonl")), PACKS / "multilingual" / "xsid.jsonl"]:
        counts, total, shown = collections.Counter(), 0, []
        for row in rows(path):
            text = row.get("text") or row.get("utterance") or ""
            total += 1
            for f in found(text):
                counts[f.kind.value] += 1
                shown.append((f.kind.value, text[f.start : f.end], f.reason, text[:100]))
        print(f"   {path.stem}: {total} texts, {dict(counts)}")
        if "--show" in sys.argv:
            for item in shown[:: max(1, len(shown) // 25)][:25]:
                print("      ", item)


PROSE = (
    "Thank you for contacting us about your recent purchase. We are looking into the problem and will get back to you "
    "as soon as possible with an answer, and in the meantime you may keep using the product as usual. "
)


ANSWER = (
    "Thank you for contacting support. I have looked at order 48213 and can see that the parcel left our warehouse on "
    "Monday and is with the courier. Delivery is expected within two working days. If it has not arrived by Thursday, "
    "please reply to this message and I will open an investigation with the courier and, if you prefer, arrange a "
    "replacement at no charge. Is there anything else that I can help you with today?"
)
ONE_OF_EACH = (
    "Hi, I ordered the blue jacket on your site last week and the refund has not reached me yet. Please write to "
    "anna.smith@example.com when it is done. I paid with the card ending in 4821 and would like the money back on the "
    "same one. Thank you very much for your help with this."
)
NOTHING = "Could you tell me please how long the delivery of a sofa takes these days, and whether it is free then"
ROUNDS, COPIES = 25, 150


def cheapest(call, make):
    """CPU microseconds of one call: the best of some rounds, each over texts that no cache has seen."""
    best = float("inf")
    for number in range(ROUNDS):
        items = make(number)
        started = time.process_time()
        for item in items:
            call(item)
        best = min(best, time.process_time() - started)
    return best / COPIES * 1e6


def copies(text, role, language):
    def make(number):
        return [
            Text(text=text[:-1] + suffix(number * COPIES + i) + text[-1], role=role, language=language)
            for i in range(COPIES)
        ]

    return make


def suffix(number):
    """Letters that make a text new without a digit."""
    return "".join(chr(ord("a") + number // 26**place % 26) for place in range(3))


def costs():
    """Each detector's share of one text as the runner calls them: what it adds to those before it."""
    everything = built_in()
    print("## CPU us per text, one warm process, every text new; each detector's part in the order of the runner")
    for name, text, role in (
        ("answer", ANSWER, Role.ASSISTANT),
        ("one e-mail, last four of a card", ONE_OF_EACH, Role.USER),
        ("no candidates", NOTHING, Role.USER),
    ):
        make = copies(text, role, "en")
        language = cheapest(lambda one: guess(one.text), make)
        before, parts = 0.0, []
        for upto in range(1, len(everything) + 1):
            first = Runner(everything[:upto], lambda: 0.0)
            spent = cheapest(lambda one, first=first: first.screen(one, KINDS), make)
            parts.append(f"{everything[upto - 1].name} {max(spent - before, 0.0):.1f}")
            before = spent
        print(
            f"   {name} ({len(text)} characters): {before + language:.1f} = language {language:.1f}, {', '.join(parts)}"
        )


SERVED = (
    Text(
        text="Thanks. Can you refund me if it does not arrive by Thursday? I am quite unhappy with this.",
        role=Role.USER,
        asked="I am sorry to hear that. Let me check the status of your order.",
    ),
    Text(text=ANSWER, role=Role.ASSISTANT),
)
"""What is new in a request of the request harness: the customer's message and the answer."""


def served():
    """Both texts one after the other, as they come again and again: alone, and with the core's caches emptied before
    each pair, which is what the rest of a request does to them."""
    reader = Runner(built_in(), lambda: 0.0)
    other = bytearray(6 << 20)
    for name, empty in (("alone", False), ("caches emptied before", True)):
        spent = []
        for _ in range(400):
            if empty:
                other.count(b"1")
            started = time.thread_time_ns()
            for text, side in zip(SERVED, (Side.INPUT, Side.OUTPUT), strict=True):
                reader.screen(text, WANTED[side, text.role])
            spent.append((time.thread_time_ns() - started) / 1_000)
        spent.sort()
        print(
            f"## message and answer of a request, {name}: {spent[40]:.0f} us (a tenth is faster), half {spent[200]:.0f}"
        )


def streams():
    text = PROSE * 5
    rounds, deltas = 40, len(text) / 10
    Window(lambda finding, value: None).feed(text[:40])  # what is compiled when first needed
    started = time.process_time()
    for _ in range(rounds):
        window = Window(lambda finding, value: None)
        for at in range(0, len(text), 10):
            window.feed(text[at : at + 10])
        window.feed("", final=True)
    print(
        f"## stream: {(time.process_time() - started) / rounds / deltas * 1e6:.1f} us per 10-character delta of prose"
    )
    started = time.process_time()
    for number in range(5000):
        find_personal(f"{PROSE[:90]}{'abcdefghij'[number % 10]}")
    print(f"## a text of 90 characters without candidates: {(time.process_time() - started) / 5000 * 1e6:.1f} us")


def main():
    costs()
    served()
    streams()
    for seed in (20261, 7):
        messages, found_in = generated(seed, 4000)
    if "--show" in sys.argv:
        for message, findings in zip(messages, found_in, strict=True):
            for span in message["spans"]:
                if not any(
                    GENERATOR_LABELS.get(f.kind) == span["label"]
                    and (min(f.end, span["end"]) - max(f.start, span["start"])) * 2 >= span["end"] - span["start"]
                    for f in findings
                ):
                    print(
                        "      lost",
                        span["label"],
                        span["form"],
                        repr(message["text"][span["start"] : span["end"]]),
                        "|",
                        repr(message["text"][:140]),
                        [(f.kind.value, message["text"][f.start : f.end]) for f in findings],
                    )
            for f in findings:
                if f.kind in GENERATOR_LABELS and not any(
                    s["start"] < f.end and f.start < s["end"] for s in message["spans"]
                ):
                    print(
                        "      alarm",
                        f.kind.value,
                        f.reason,
                        repr(message["text"][f.start : f.end]),
                        "|",
                        message["text"][:140],
                    )
    for name, labels in (("generated.jsonl", PACK_LABELS), ("chat.jsonl", CHAT_LABELS)):
        misses, alarms = pack(name, labels)
        if "--show" in sys.argv:
            for kind in misses:
                for item in misses[kind][:: max(1, len(misses[kind]) // 15)][:15]:
                    print("      miss", kind, item)
            for kind in alarms:
                for item in alarms[kind][:: max(1, len(alarms[kind]) // 10)][:10]:
                    print("      alarm", kind.value, item)
    chat_by_scorer()
    chat_by_scorer(naming)
    for only in (0, 1):
        pack("chat.jsonl", CHAT_LABELS, only)
        pack("chat.jsonl", CHAT_LABELS, only, naming)
        answered(only)
    utterances()


if __name__ == "__main__":
    main()
