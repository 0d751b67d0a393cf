"""Every route x stream x channel x kind of finding x (fine, exception, late): blocked, masked or refused as declared.

The cells come from the tables of `guard_cells` and from what each dialect declares, through the whole ASGI application
with the real detectors; only storage and the provider are in memory. A route without a row, or a declared channel
without a cell, fails here.
"""

import asyncio
from functools import cache
from typing import Any

import orjson
import pytest
from tests.e2e.guard_cells import ANSWERS, PLAIN, REQUESTS, SAMPLES
from tests.e2e.guard_hidden import HIDDEN, NUMBER
from tests.fakes.gateway import DETECTORS, HANDOVER, SENTENCE, Got, World, rules, use_case, world
from tests.fakes.guard import Answering, HandClock

from handrail.detectors.base import Reach, Text
from handrail.detectors.run import Runner
from handrail.gateway.routes import face_routes
from handrail.guard.lane import WINDOW_KINDS
from handrail.guard.screen import WANTED
from handrail.guard.turn import ROLE_OF, Channel
from handrail.policy.evaluate import Side
from handrail.policy.ruleset import FindingAction, OnFailure, StreamMode
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.finding import PERSONAL, Finding, Kind

ROUTES = {route.path: route.face for route in face_routes() if route.face is not None}
STREAMING = [path for path in ROUTES if path != "/v1/embeddings"]
FILTERED = ('"content_filter"', '"refusal"')

INPUT_CELLS = [(path, stream, channel) for path in ROUTES for stream in (False, True) for channel in REQUESTS[path]
               if not (stream and path not in STREAMING)]  # fmt: skip
OUTPUT_CELLS = [(path, stream, channel) for path in ROUTES for stream in (False, True) for channel in ANSWERS[path]]
MODE_CELLS = [(*cell, mode) for cell in OUTPUT_CELLS for mode in StreamMode if cell[1] or mode is StreamMode.WINDOW]


class Failing:
    """A detector that breaks, or takes too long, on texts that hold `word`."""

    name = "failing"
    kinds = frozenset(Kind)
    reach = Reach.WINDOW

    def __init__(self, word: str, clock: HandClock, *, late: bool) -> None:
        self._word, self._clock, self._late = word, clock, late

    def find(self, text: Text, language: str) -> list[Finding]:
        if self._word in text.text:
            if self._late:
                self._clock.pass_s(3_600)
            else:
                raise RuntimeError("planted")
        return []


@cache
def live(kind: Kind, side: Side, channel: Channel) -> bool:
    """Whether the real detectors look for this kind there and find it."""
    role = ROLE_OF[channel]
    if kind not in WANTED[side, role]:
        return False
    text = SAMPLES[kind][0]
    report = RUNNER.screen(
        Text(f"note: {text}" if channel is Channel.TOOL_ARGUMENTS else text, role), WANTED[side, role]
    )
    return any(finding.kind is kind and finding.score >= 0.5 for finding in report.findings)


RUNNER = Runner(DETECTORS, lambda: 0.0)


FEW = (Kind.CARD, Kind.CVV, Kind.INJECTION, Kind.MARKUP)


def kinds(channel: Channel) -> list[Kind]:
    """Every kind where people and models usually speak, one of each sort elsewhere."""
    return [kind for kind in SAMPLES if channel in (Channel.USER, Channel.ASSISTANT) or kind in FEW]


def answering(path: str, whole: bytes, stream: list[bytes]) -> Any:
    return lambda request: Answering(stream if request.stream else [whole])


def ask(w: World, path: str, body: dict[str, Any], *, stream: bool) -> Got:
    return asyncio.run(w.post(path, {**body, "stream": True} if stream else body))


def set_up(path: str, kind: Kind, action: FindingAction, *, answer: Any = None, **more: Any) -> World:
    """A world in which only `kind` leads to something."""
    case = use_case(findings=rules({kind: action}), **more)
    return world(answer or answering(path, *PLAIN[path]), case=case)


def fail(w: World, word: str, *, late: bool) -> None:
    """Plant a detector that does not answer."""
    failing = Failing(word, w.clock, late=late)
    screener = Runner([failing, *DETECTORS], w.clock.monotonic)
    object.__setattr__(w.gateway.net, "screener", screener)


def kept(w: World) -> str:
    """What is stored of the texts, the token map aside."""
    return str([(payload.get("messages"), payload.get("answer")) for payload in w.journal.payloads()])


@pytest.mark.promise("GTW-5")
def test_every_route_with_texts_has_its_cells_and_every_other_says_why_not() -> None:
    w = world()
    for route in w.gateway.routes:
        if route.face is None:
            assert route.unguarded, f"{route.method} {route.path} has neither a dialect nor a reason"
            continue
        assert set(REQUESTS[route.path]) == route.face.reads, route.path
        assert set(ANSWERS[route.path]) == route.face.says, route.path


@pytest.mark.promise("GTW-5")
def test_the_samples_are_found_by_the_real_detectors() -> None:
    for kind in SAMPLES:
        assert any(live(kind, side, channel) for side in Side for channel in Channel), kind
    for path in ROUTES:
        for channel in REQUESTS[path]:
            assert live(Kind.CARD, Side.INPUT, channel), (path, channel)
        for channel in ANSWERS[path]:
            assert live(Kind.CARD, Side.OUTPUT, channel), (path, channel)


@pytest.mark.promise("GTW-5")
@pytest.mark.parametrize(("path", "stream", "channel"), INPUT_CELLS)
def test_a_finding_in_a_request(path: str, stream: bool, channel: Channel) -> None:
    for kind in kinds(channel):
        text, part = SAMPLES[kind]
        if not live(kind, Side.INPUT, channel):
            continue
        body = REQUESTS[path][channel](text)

        w = set_up(path, kind, FindingAction.MASK)
        got = ask(w, path, body, stream=stream)
        assert got.status == 200, (kind, got.body)
        assert part not in w.model.requests[0].body.decode(), kind
        if kind in PERSONAL:
            assert part not in kept(w), kind

        w = set_up(path, kind, FindingAction.MARK)
        assert ask(w, path, body, stream=stream).status == 200
        assert any(found.kind is kind for found in w.journal.facts()[0].findings), kind

        for action, sentence, outcome in (
            (FindingAction.BLOCK, SENTENCE, "blocked"),
            (FindingAction.HANDOVER, HANDOVER, "handover"),
        ):
            w = set_up(path, kind, action)
            got = ask(w, path, body, stream=stream)
            assert w.model.requests == [], (kind, action)
            assert sentence in got.body.decode(), (kind, action, got.body)
            assert w.journal.facts()[0].outcome == outcome or path == "/v1/embeddings"
            if path == "/v1/embeddings":
                assert (got.status, got.json["error"]["code"]) == (400, "content.blocked")
            else:
                assert got.status == 200
                assert got.headers["x-handrail-outcome"] == outcome
                assert any(mark in got.body.decode() for mark in FILTERED), got.body


@pytest.mark.promise("GTW-5")
@pytest.mark.parametrize("late", [False, True], ids=["exception", "late"])
@pytest.mark.parametrize(("path", "stream", "channel"), INPUT_CELLS)
def test_a_detector_that_fails_on_a_request(path: str, stream: bool, channel: Channel, late: bool) -> None:
    for kind in FEW:
        text, part = SAMPLES[kind]
        if kind not in WANTED[Side.INPUT, ROLE_OF[channel]]:
            continue
        body = REQUESTS[path][channel](text)

        w = set_up(path, kind, FindingAction.MASK)
        fail(w, part, late=late)
        got = ask(w, path, body, stream=stream)
        assert got.status == 503, (kind, got.body)
        assert w.model.requests == []
        facts = w.journal.facts()[0]
        assert facts.outcome == "refused"
        assert facts.failures != ()
        assert facts.error == ("guard.late" if late else "guard.unavailable")
        assert part not in kept(w)

        w = set_up(path, kind, FindingAction.MARK, on_detector_failure=OnFailure.MARK)
        fail(w, part, late=late)
        assert ask(w, path, body, stream=stream).status == 200, kind
        assert w.journal.facts()[0].failures != ()
        assert part not in kept(w), "a text that was not fully read is not kept"


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize(("path", "stream", "channel", "mode"), MODE_CELLS)
def test_a_finding_in_an_answer(path: str, stream: bool, channel: Channel, mode: StreamMode) -> None:
    for kind in kinds(channel):
        text, part = SAMPLES[kind]
        if not live(kind, Side.OUTPUT, channel):
            continue
        answer = answering(path, *(make(text) for make in ANSWERS[path][channel]))
        body = REQUESTS[path][Channel.USER]("Hello there.")
        late = (
            mode is StreamMode.WINDOW and kind not in WINDOW_KINDS and channel is not Channel.TOOL_ARGUMENTS and stream
        )

        w = set_up(path, kind, FindingAction.MASK, answer=answer, stream=mode)
        got = ask(w, path, body, stream=stream)
        assert got.status == 200, (kind, got.body)
        if late:
            assert any(mark in got.body.decode() for mark in FILTERED), (kind, got.body)
        else:
            assert part not in _said(got.body), (kind, got.body)
        if kind in PERSONAL:
            assert part not in kept(w), kind
        _well_formed(path, got, stream=stream)

        w = set_up(path, kind, FindingAction.BLOCK, answer=answer, stream=mode)
        got = ask(w, path, body, stream=stream)
        assert got.status == 200, (kind, got.body)
        assert SENTENCE in got.body.decode(), (kind, got.body)
        assert any(mark in got.body.decode() for mark in FILTERED), (kind, got.body)
        assert w.journal.facts()[0].outcome == "blocked"
        if not late:
            assert part not in _said(got.body), (kind, got.body)
        _well_formed(path, got, stream=stream)


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize("late", [False, True], ids=["exception", "late"])
@pytest.mark.parametrize(("path", "stream", "channel"), OUTPUT_CELLS)
def test_a_detector_that_fails_on_an_answer(path: str, stream: bool, channel: Channel, late: bool) -> None:
    for kind in SAMPLES:
        if not live(kind, Side.OUTPUT, channel):
            continue
        text, part = SAMPLES[kind]
        word = part[:4]
        answer = answering(path, *(make(text) for make in ANSWERS[path][channel]))
        body = REQUESTS[path][Channel.USER]("Hello there.")

        w = set_up(path, kind, FindingAction.MASK, answer=answer)
        fail(w, word, late=late)
        got = ask(w, path, body, stream=stream)
        facts = w.journal.facts()[0]
        assert facts.outcome == "refused", kind
        assert facts.failures != ()
        code = "guard.late" if late else "guard.unavailable"
        assert code in got.body.decode()
        assert part not in _said(got.body), kind
        assert part not in kept(w), kind
        if not stream:
            assert got.status == 503

        w = set_up(path, kind, FindingAction.MASK, answer=answer, on_detector_failure=OnFailure.MARK)
        fail(w, word, late=late)
        assert ask(w, path, body, stream=stream).status == 200
        assert w.journal.facts()[0].failures != ()
        assert part not in kept(w), f"{kind}: a text that was not fully read is not kept"


HIDDEN_CELLS = [
    (path, place, stream)
    for path, places in HIDDEN.items()
    for place, makes in places.items()
    for stream in (False, True)
    if makes[stream] is not None
]


REBUILT = {"output_text"}
"""Made anew from the texts that go on, whatever the provider wrote there."""
STOPPED = (Outcome.REFUSED, Outcome.FAILED)


def hidden(path: str, place: str, *, stream: bool) -> Any:
    """An answer with the card where it was once not looked for."""
    make = HIDDEN[path][place][stream]
    assert make is not None
    made = make(SAMPLES[Kind.CARD][0])
    return lambda request: Answering(made if isinstance(made, list) else [made])


def leaked(body: bytes) -> bool:
    """Whether the card is there, as a text cut over events or as a number."""
    said = _said(body)
    return SAMPLES[Kind.CARD][1] in said or NUMBER in said.replace(" ", "")


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize("action", [FindingAction.MASK, FindingAction.BLOCK, FindingAction.HANDOVER])
@pytest.mark.parametrize(("path", "place", "stream"), HIDDEN_CELLS)
def test_a_value_in_a_hidden_place_of_an_answer(path: str, place: str, stream: bool, action: FindingAction) -> None:
    for mode in StreamMode:
        w = set_up(path, Kind.CARD, action, answer=hidden(path, place, stream=stream), stream=mode)
        got = ask(w, path, REQUESTS[path][Channel.USER]("Hello there."), stream=stream)
        assert not leaked(got.body), (mode, got.body)
        assert not leaked(kept(w).encode()), mode
        facts = w.journal.facts()[0]
        assert place in REBUILT or facts.verdict is not Verdict.ALLOW or facts.outcome in STOPPED


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize("late", [False, True], ids=["exception", "late"])
@pytest.mark.parametrize(("path", "place", "stream"), HIDDEN_CELLS)
def test_a_detector_that_fails_on_a_hidden_place(path: str, place: str, stream: bool, late: bool) -> None:
    w = set_up(path, Kind.CARD, FindingAction.MASK, answer=hidden(path, place, stream=stream))
    fail(w, "4111", late=late)
    got = ask(w, path, REQUESTS[path][Channel.USER]("Hello there."), stream=stream)
    assert not leaked(got.body), got.body
    assert not leaked(kept(w).encode())
    assert place in REBUILT or w.journal.facts()[0].outcome in STOPPED


def _said(body: bytes) -> str:
    """All texts of a response, the deltas of each event joined, so that a value cut over events is seen."""
    if not body.startswith((b"data:", b"event:")):
        return body.decode()
    texts: list[str] = []
    for line in body.decode().split("\n"):
        if line.startswith("data: {"):
            texts += _strings(orjson.loads(line[6:]))
    return "".join(texts) + body.decode()


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        named = {"content", "delta", "text", "refusal", "reasoning_content", "arguments", "partial_json", "thinking"}
        named |= {"transcript", "vendor_text"}
        return [
            text
            for name, part in value.items()
            for text in ([part] if isinstance(part, str) and name in named else _strings(part))
        ]
    if isinstance(value, list):
        return [text for part in value for text in _strings(part)]
    return []


def _well_formed(path: str, got: Got, *, stream: bool) -> None:
    """A stream ends with its dialect's terminator; everything is JSON."""
    if not stream:
        orjson.loads(got.body)
        return
    events = got.events()
    if path == "/v1/chat/completions":
        assert events[-1] == "[DONE]"
    elif path == "/v1/messages":
        assert events[-1]["type"] == "message_stop"
    else:
        assert events[-1]["type"] in ("response.completed", "response.incomplete")
