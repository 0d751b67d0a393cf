"""Why a payload is absent: what is counted, and what is bad."""

from functools import cache

import msgspec
import pytest
from fakes.log import TRUST, FakeRecords, publish

from handrail.ledger.verify import Absence, BadLog, verify

log = cache(publish)
SIZE = 12  # all but entry 6 commit to a payload


def without(at: int, why: Absence) -> FakeRecords:
    rows = [
        msgspec.structs.replace(row, payload=None, absence=why) if row.index == at else row for row in log(SIZE).rows
    ]
    return FakeRecords(rows)


@pytest.mark.promise("LED-11")
@pytest.mark.parametrize(
    ("why", "counts"),
    [
        (Absence.ERASED, (1, 0, 0)),
        (Absence.EXPIRED, (1, 0, 0)),
        (Absence.LEFT_OUT, (0, 1, 0)),
        (Absence.UNTOLD, (0, 0, 1)),
    ],
)
def test_an_absent_payload_is_counted_under_its_reason(why: Absence, counts: tuple[int, int, int]) -> None:
    report = verify(log(SIZE).read, TRUST, records=without(3, why))
    assert (report.payloads_gone, report.payloads_left_out, report.payloads_untold) == counts
    assert (report.payloads, report.payloads_absent) == (10, 1)


@pytest.mark.promise("LED-11")
def test_a_missing_payload_is_bad_and_named() -> None:
    with pytest.raises(BadLog, match="payload is missing") as caught:
        verify(log(SIZE).read, TRUST, records=without(3, Absence.MISSING))
    assert (caught.value.index, caught.value.id) == (3, f"ent_{3:026d}")


def test_an_entry_that_commits_to_no_payload_misses_none() -> None:
    report = verify(log(SIZE).read, TRUST, records=without(6, Absence.MISSING))
    assert (report.payloads, report.payloads_absent) == (11, 0)


@pytest.mark.promise("LED-12")
def test_a_file_that_cannot_be_read_is_bad() -> None:
    made = log(SIZE)
    for damaged in made.files:
        if damaged.startswith("tile/entries/") or damaged == "checkpoint":

            def read(path: str, damaged: str = damaged) -> bytes | None:
                if path == damaged:
                    raise ValueError(f"{path} is damaged")
                return made.read(path)

            with pytest.raises(BadLog, match="damaged") as caught:
                verify(read, TRUST)
            assert caught.value.path == damaged
