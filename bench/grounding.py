"""What grounding costs: CPU of one 500-character answer against a 2 KB context, its growth with length, and a profile.

    .venv/bin/python bench/grounding.py

The context is read once and remembered, so two figures are given: the comparison alone, and with a context that was
never seen. CPU time of this process, best of thirty rounds.
"""

import json
import platform
import sys
from time import process_time

from handrail.detectors.base import Text
from handrail.detectors.grounding import Grounding
from handrail.terms.finding import Role

ANSWER = (
    "Hello, thanks for your message. Your order A-20417 left our warehouse on 12 March and should reach you on Monday, "
    "16 March. The total for your two desk lamps is €84.50, and the parcel travels with Parcelline. If you would like "
    "to send it back, you have thirty days after delivery, as long as the lamps are unused and in their packaging. The "
    "refund goes to the original card within ten working days after we receive the parcel. Express delivery would have "
    "cost £7.95. Is there anything else I can do?"
)
POLICY = (
    "You can return any item within 30 days of delivery for a full refund. Items must be unused and in their original "
    "packaging. Sale items can only be exchanged. Standard delivery costs £3.95 and takes 3 to 5 working days. Orders "
    "over £50 are delivered free of charge. Express delivery costs £7.95 and arrives the next working day if you order "
    "before 2 pm. Refunds are paid to the original payment method within 5 to 10 business days after we receive the "
    "parcel. Gift cards are not refundable. Return shipping is paid by the customer unless the item is faulty. "
)
ORDER = json.dumps(
    {
        "order_id": "A-20417", "status": "shipped", "carrier": "Parcelline", "shipped_at": "2026-03-12T09:20:00Z",
        "estimated_delivery": "2026-03-16", "total": {"amount": 84.5, "currency": "EUR"},
        "items": [{"name": "Desk lamp", "quantity": 2}],
    }
)  # fmt: skip
CONTEXT = (POLICY * 4)[: 2048 - len(ORDER)]


def cpu_us(detector: Grounding, answer: str, contexts: list[tuple[str, ...]]) -> float:
    best = float("inf")
    for _ in range(30):
        begun = process_time()
        for context in contexts:
            detector.find(Text(answer, Role.ASSISTANT, "en", context), "en")
        best = min(best, (process_time() - begun) / len(contexts) * 1e6)
    return best


def unseen_us(detector: Grounding, turn: int) -> float:
    """Against 80 contexts of which none is remembered."""
    texts = [Text(ANSWER, Role.ASSISTANT, "en", (ORDER, f"{CONTEXT} {turn} {n}")) for n in range(80)]
    begun = process_time()
    for text in texts:
        detector.find(text, "en")
    return (process_time() - begun) / len(texts) * 1e6


def main() -> int:
    detector = Grounding()
    seen: list[tuple[str, ...]] = [(ORDER, CONTEXT)] * 60
    figures = {
        "python": platform.python_version(),
        "answer_characters": len(ANSWER),
        "context_characters": len(ORDER) + len(CONTEXT),
        "remembered_context_us": round(cpu_us(detector, ANSWER, seen), 1),
        "new_context_us": round(
            min(unseen_us(detector, turn) for turn in range(5)),
            1,
        ),
        "ten_times_the_answer_us": round(cpu_us(detector, ANSWER * 10, seen[:6]), 1),
    }
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
