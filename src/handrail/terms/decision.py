"""The four verdicts and their reasons. mark = allow + finding, mask = change, block = deny with a sentence."""

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """In the ledger for good. Ordered by severity in `SEVERITY`."""

    ALLOW = "allow"
    CHANGE = "change"
    HOLD = "hold"
    DENY = "deny"


SEVERITY = {Verdict.ALLOW: 0, Verdict.CHANGE: 1, Verdict.HOLD: 2, Verdict.DENY: 3}


class Outcome(StrEnum):
    """What the client got; header `x-handrail-outcome`."""

    ANSWERED = "answered"
    BLOCKED = "blocked"  # HTTP 200 with the declared sentence
    HANDOVER = "handover"
    REFUSED = "refused"  # 4xx/5xx
    FAILED = "failed"  # upstream failed after every attempt
    CANCELLED = "cancelled"  # the client left
    INTERRUPTED = "interrupted"  # the process died; written when the opened entry is found without its end


NO_ANSWER = frozenset({Outcome.REFUSED, Outcome.FAILED, Outcome.INTERRUPTED})
"""The customer got no answer and no sentence."""


class Reason(msgspec.Struct, frozen=True):
    """One reason of a verdict. `code`: stable, like `finding.CARD` or `guard.unavailable`. `rule`: where in the home it
    comes from, or empty for a built-in. `side`: `input` or `output`."""

    code: str
    rule: str = ""
    side: str = ""
