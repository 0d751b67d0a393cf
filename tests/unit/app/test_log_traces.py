"""What a fault leaves in the log: where and of which kind, not what it said."""

import logging
import sys

import orjson
import pytest

from handrail.app.child import Lines
from handrail.terms.errors import Code, HandrailError

SAID = "marta@example.com wants her money"


def logged(work: object) -> str:
    try:
        work()  # type: ignore[operator]  # raises
    except Exception:  # noqa: BLE001  whatever it is, it is logged
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "console.failed", None, sys.exc_info())
        return str(orjson.loads(Lines().format(record))["trace"])
    raise AssertionError("it raises")


@pytest.mark.promise("CON-11")
def test_a_trace_tells_where_and_which_kind_and_nothing_that_a_customer_said() -> None:
    def slips() -> None:
        try:
            {}[SAID]
        except KeyError as missing:
            raise ExceptionGroup(SAID, [ValueError(SAID)]) from missing

    trace = logged(slips)
    assert SAID not in trace
    for kind in ("KeyError", "ExceptionGroup", "ValueError", "test_log_traces.py", "in slips"):
        assert kind in trace


def test_what_the_machine_or_we_ourselves_said_is_told() -> None:
    def ours() -> None:
        raise HandrailError(Code.BUSY, "too many at once")

    def full() -> None:
        raise OSError(28, "No space left on device", "/var/lib/x")

    assert "too many at once" in logged(ours)
    assert "No space left on device" in logged(full)


def test_faults_that_name_each_other_come_to_an_end() -> None:
    def circle() -> None:
        one, two = ValueError("1"), ValueError("2")
        one.__context__, two.__context__ = two, one
        raise one

    assert logged(circle).count("ValueError") == 2
