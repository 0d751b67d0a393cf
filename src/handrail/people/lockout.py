"""How long a wrong password makes the next try wait. Pure.

Promise: SGN-4. Tries are counted before the password is looked at, so that a hundred at once are a hundred. What is
counted is a person (tries from browsers that never signed in as her), a browser that did, and an address. After
`FREE` wrong ones the wait doubles up to `MOST_MS`: a minute. So an attacker who knows her address gets about one try a
minute against her, and can keep strangers' browsers waiting for a minute at most, never her own. An hour without a
wrong try forgets the count.

When the count cannot be read or written, nobody signs in.
"""

import msgspec

from handrail.terms.ids import PersonId

NOBODY = PersonId("")
FREE = 5
FREE_AT_ADDRESS = 30
"""An office behind one address types more wrong passwords than one person."""
FIRST_MS = 1_000
MOST_MS = 60_000
FORGOTTEN_MS = 3_600_000


class Failures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`id`: what is counted, such as `person:pe_...`; an address stands there as a keyed hash. `count`: wrong tries in
    a row. Times in Unix ms."""

    id: str
    count: int
    last_at: int
    ends_at: int
    person: PersonId = NOBODY


def wait_ms(failures: Failures | None, *, now_ms: int, free: int = FREE) -> int:
    """Until the next try is looked at; 0: now."""
    if failures is None or now_ms >= failures.ends_at or failures.count < free:
        return 0
    pause = min(FIRST_MS << min(failures.count - free, 16), MOST_MS)
    return min(max(0, failures.last_at + pause - now_ms), MOST_MS)


def failed(failures: Failures | None, name: str, *, now_ms: int, person: PersonId = NOBODY) -> Failures:
    """One more. A count that was forgotten starts again."""
    before = failures.count if failures is not None and now_ms < failures.ends_at else 0
    return Failures(id=name, count=before + 1, last_at=now_ms, ends_at=now_ms + FORGOTTEN_MS, person=person)


def is_told(count: int) -> bool:
    """Whether the record says so: at the 1st, 2nd, 4th, 8th, ... in a row, each time with the count."""
    return count > 0 and count & (count - 1) == 0
