"""How each child of the server begins, and what it does once it has started."""

import contextlib
import ctypes
import gc
import logging
import sys
import traceback

import orjson

from handrail.app.plan import Plan, parsed
from handrail.app.standing import standing
from handrail.terms.errors import HandrailError

_M_ARENA_MAX = -8  # malloc.h


def begin(told: bytes) -> Plan:
    """Before there are threads: one arena, structured logs, and the plan.

    glibc serves all threads from one arena then; each further one keeps freed memory for itself: ten megabytes and more
    per process here. Elsewhere than on glibc nothing happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    log_lines()
    return parsed(told)


def settle(*thresholds: int) -> None:
    """When everything is loaded: what lives now lives for good, so the collector need not look at it again; and what
    starting took for a while (code read from files, patterns compiled: 6 MB) goes back to the system. `thresholds`: of
    the collector from now on (gc.set_threshold)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*thresholds)
    give_back()


def give_back() -> None:
    """Return freed pages to the system, a millisecond; glibc keeps them otherwise."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def announced(told: bytes) -> tuple[str, str]:
    """What the operator is told once every process runs: the address, and what is missing; empty: it serves."""
    plan = parsed(told)
    boot, home = plan.settings.boot, plan.settings.home
    host = f"[{plan.host}]" if ":" in plan.host else plan.host
    url = f"{'https' if boot.tls_cert_file else 'http'}://{host}:{plan.port}/v1"
    why = standing(boot.host, plan.port, tls=bool(boot.tls_cert_file))
    return url, f"{why}; it refuses calls until then: handrail publish {home}" if why else ""


class Lines(logging.Formatter):
    """One JSON object per line: time, level, event, and what was given as `extra`. Never customer content."""

    KNOWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}

    def format(self, record: logging.LogRecord) -> str:
        line = {"at_ms": int(record.created * 1000), "level": record.levelname.lower(), "event": record.getMessage()}
        line["process"] = record.process
        line |= {name: value for name, value in record.__dict__.items() if name not in self.KNOWN}
        if record.exc_info:
            line["trace"] = _trace(record.exc_info[1], set())
        return orjson.dumps(line, default=str).decode()


def _trace(problem: BaseException | None, told: set[int]) -> str:
    """Where it happened and of which kind. What it said only where that is ours or the machine's: any other may hold a
    customer's words."""
    if problem is None or id(problem) in told:
        return ""
    told.add(id(problem))
    before = problem.__cause__ or (None if problem.__suppress_context__ else problem.__context__)
    within = problem.exceptions if isinstance(problem, BaseExceptionGroup) else ()
    said = problem.message if isinstance(problem, HandrailError) else ""
    if isinstance(problem, OSError) and problem.errno is not None:
        said = problem.strerror or ""
    kind = f"{type(problem).__module__}.{type(problem).__qualname__}"
    frames = "".join(traceback.format_tb(problem.__traceback__))
    here = f"{frames}{kind}: {said}\n" if said else f"{frames}{kind}\n"
    return "".join([_trace(before, told), here, *(_trace(each, told) for each in within)])


def log_lines() -> None:
    """Structured logs on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
