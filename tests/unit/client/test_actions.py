"""The client's exchanges, played by hand; and the decorator over a server that is a list of answers."""

import asyncio
import inspect
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, get_type_hints

import pytest

from handrail_client import (
    ActionNotDone,
    Actions,
    AsyncActions,
    NoEffect,
    NotDone,
    Permit,
    Refused,
    Status,
    Unreachable,
    action,
    conversation,
)
from handrail_client.exchange import Pause, Reply, Request, answered
from handrail_client.talk import current

IMPORT_CPU_S = 0.150


def reply(code: int = 200, **body: Any) -> Reply:
    return Reply(code, json.dumps(body).encode())


HELD = reply(202, action_id="ac_1", status="held", message="A colleague looks at it.", retry_after=5)
DONE = reply(200, action_id="ac_1", status="done", result={"receipt": "R-1"})
DENIED = reply(200, action_id="ac_1", status="denied", message="I am not able to do this.")
LOST = OSError("connection reset")


class Played:
    """A transport that answers from a list, and keeps what was asked."""

    def __init__(self, answers: Sequence[Reply | OSError]) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []

    def send(self, request: Request, timeout_s: float) -> Reply:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.asked if request.body]


class PlayedLater(Played):
    async def send(self, request: Request, timeout_s: float) -> Reply:  # type: ignore[override]  # the same, awaited
        return super().send(request, timeout_s)


def client(*answers: Reply | OSError) -> tuple[Actions, Played]:
    played = Played(answers)
    return Actions("http://h", "hr_x", attempts=3, transport=played), played


@pytest.mark.promise("CLI-1")
def test_a_lost_answer_is_asked_for_by_the_same_call_in_the_same_conversation() -> None:
    exchange = answered(Request("POST", "/x", b"1"), 3)
    assert next(exchange) == Request("POST", "/x", b"1")
    assert exchange.send(LOST) == Pause(0.25)
    assert exchange.send(None) == Request("POST", "/x", b"1")
    assert exchange.send(Reply(503, b"", retry_after="1")) == Pause(1.0)
    assert exchange.send(None) == Request("POST", "/x", b"1")
    with pytest.raises(StopIteration) as end:
        exchange.send(DONE)
    assert end.value.value == DONE


def test_without_an_answer_after_all_attempts_it_says_unreachable_and_pauses_no_longer() -> None:
    exchange = answered(Request("POST", "/x"), 1)
    next(exchange)
    with pytest.raises(Unreachable, match="connection reset"):
        exchange.send(LOST)


def test_what_the_server_says_cannot_help_is_not_sent_again() -> None:
    exchange = answered(Request("POST", "/x"), 5)
    next(exchange)
    with pytest.raises(StopIteration) as end:
        exchange.send(Reply(503, b"", final=True))
    assert end.value.value.status == 503


@pytest.mark.promise("CLI-1")
def test_a_call_without_a_conversation_gets_one_of_its_own_which_its_repetitions_keep() -> None:
    rail, played = client(LOST, DONE, DONE)
    assert rail.ask("shop.refund", {"order": "1"}).done
    rail.ask("shop.refund", {"order": "1"})
    first, again, other = (body["conversation"] for body in played.bodies)
    assert first == again != other


def test_waiting_asks_again_in_parts_until_the_end_and_no_longer_than_was_said() -> None:
    rail, played = client(HELD, HELD, DONE)
    assert rail.ask("shop.refund", {}, wait_s=50).result == {"receipt": "R-1"}
    assert [(one.method, one.path) for one in played.asked] == [
        ("POST", "/api/v1/actions?wait=20"),
        ("GET", "/api/v1/actions/ac_1?wait=20"),
        ("GET", "/api/v1/actions/ac_1?wait=10"),
    ]
    rail, played = client(HELD, HELD)
    assert rail.look("ac_1", wait_s=25).status == Status.HELD
    assert len(played.asked) == 2


def test_nobody_waits_on_an_outcome_that_only_a_person_can_tell() -> None:
    rail, played = client(reply(202, action_id="ac_1", status="unknown", retry_after=5))
    assert rail.ask("shop.refund", {}, wait_s=60).status == Status.UNKNOWN
    assert len(played.asked) == 1


def test_a_refusal_carries_its_code_and_an_answer_that_is_not_handrails_is_one_too() -> None:
    rail, _ = client(reply(403, error={"code": "tool.unregistered", "message": "add it"}), Reply(200, b"<html>"))
    with pytest.raises(Refused) as refused:
        rail.ask("shop.refund", {})
    assert (refused.value.status, refused.value.code) == (403, "tool.unregistered")
    with pytest.raises(Refused):
        rail.look("ac_1")


def test_an_id_cannot_leave_its_path() -> None:
    rail, played = client(DONE)
    rail.cancel("../keys?x=1")
    assert played.asked[0].path == "/api/v1/actions/..%2Fkeys%3Fx%3D1"


def test_calls_inside_a_conversation_belong_to_it_and_what_is_named_wins() -> None:
    rail, played = client(*[HELD] * 4)
    with conversation("t-1", customer="c-1", language="de") as talk:
        assert talk.headers == {"x-handrail-conversation": "t-1", "x-handrail-customer": "c-1"}
        rail.ask("a.b", {})
        rail.ask("a.b", {}, customer="c-2")
        rail.ask("a.b", {}, conversation="t-2")
    rail.ask("a.b", {}, conversation="t-1")
    assert current().id is None
    named = [(body["conversation"], body.get("customer"), body.get("language")) for body in played.bodies]
    assert named == [("t-1", "c-1", "de"), ("t-1", "c-2", "de"), ("t-2", None, None), ("t-1", None, None)]


def test_facts_of_the_session_go_with_every_call_inside_and_a_calls_own_win() -> None:
    rail, played = client(HELD, HELD, HELD)
    with conversation("t-1", facts={"customer.id": "c-1", "tier": 1}):
        rail.ask("a.b", {}, facts={"tier": 2})
        rail.ask("a.b", {}, conversation="t-2")
    rail.ask("a.b", {})
    assert [body.get("facts") for body in played.bodies] == [{"customer.id": "c-1", "tier": 2}, None, None]
    rail, played = client(HELD)
    with conversation("t-1", customer="c-1", facts={"customer.id": "c-1"}):
        rail.ask("a.b", {}, customer="c-2")
    assert "facts" not in played.bodies[0]


def test_two_tasks_do_not_share_their_conversation() -> None:
    played = PlayedLater([HELD] * 20)
    rail = AsyncActions("http://h", "hr_x", transport=played)

    async def one(name: str) -> None:
        with conversation(name):
            await asyncio.sleep(0)
            for _ in range(5):
                await rail.ask("a.b", {"who": name})
                await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(one("t-1"), one("t-2"))

    asyncio.run(both())
    assert {(body["conversation"], body["arguments"]["who"]) for body in played.bodies} == {
        ("t-1", "t-1"),
        ("t-2", "t-2"),
    }


class Reason(Enum):
    BROKEN = "broken"


@dataclass
class Address:
    street: str
    since: date


@pytest.mark.promise("CLI-2")
def test_a_decorated_function_keeps_what_frameworks_read_and_never_runs_its_body() -> None:
    rail, played = client(DONE, HELD, DENIED)

    @action("shop.refund", via=rail)
    def refund(order: str, amount: int = 100, reason: str | None = None) -> dict[str, Any]:
        """Pay back an order."""
        raise AssertionError("the body ran")

    assert list(inspect.signature(refund).parameters) == ["order", "amount", "reason"]
    assert get_type_hints(refund) == {"order": str, "amount": int, "reason": str | None, "return": dict[str, Any]}
    assert (refund.__name__, refund.__doc__) == ("refund", "Pay back an order.")
    assert not inspect.iscoroutinefunction(refund)
    assert refund("48213", reason=None) == {"receipt": "R-1"}
    held = refund("48213", 4_000)
    assert isinstance(held, NotDone)
    assert (held["status"], held["message"], held["retry_after"]) == ("held", "A colleague looks at it.", 5)
    assert json.loads(str(held)) == held
    denied = json.loads(json.dumps(refund("48213", 1)))
    assert denied["status"] == "denied"
    assert "retry_after" not in denied
    assert "why" not in denied
    assert played.bodies[0]["arguments"] == {"order": "48213", "amount": 100}
    with pytest.raises(TypeError):
        refund(orders="48213")  # type: ignore[call-arg]  # a wrong name, on purpose
    assert len(played.asked) == 3


@pytest.mark.promise("ACT-57")
def test_a_model_reads_what_it_can_mend_and_may_then_ask_again() -> None:
    said = ["look the order up, then ask again"]
    rail, _ = client(reply(200, action_id="ac_1", status="denied", message="I am not able to do this.", why=said))
    denied = rail.ask("shop.refund", {"order": "48213"}).told()
    assert denied["why"] == said
    assert denied["next"].startswith("It did not happen. `why` says")


@pytest.mark.promise("CLI-2")
def test_a_coroutine_function_stays_one_and_may_raise_instead() -> None:
    played = PlayedLater([HELD, DONE])

    @action("shop.refund", via=AsyncActions("http://h", "hr_x", transport=played), otherwise="raise", local=["ctx"])
    async def refund(ctx: object, order: str) -> dict[str, Any]:
        raise AssertionError("the body ran")

    assert inspect.iscoroutinefunction(refund)
    with pytest.raises(ActionNotDone) as caught:
        asyncio.run(refund(object(), "48213"))  # type: ignore[arg-type]  # mypy sees Coroutine behind the decorator
    assert caught.value.action.id == "ac_1"
    assert asyncio.run(refund(None, "48213")) == {"receipt": "R-1"}  # type: ignore[arg-type]  # as above
    assert played.bodies[0]["arguments"] == {"order": "48213"}


def test_arguments_are_sent_as_json_and_what_json_cannot_carry_exactly_is_refused_with_its_place() -> None:
    rail, played = client(DONE)

    @action("shop.move", via=rail)
    def move(to: Address, reason: Reason, parts: tuple[int, ...]) -> None: ...

    move(Address("Elm 1", date(2026, 1, 2)), Reason.BROKEN, (1, 2))
    assert played.bodies[0]["arguments"] == {
        "to": {"street": "Elm 1", "since": "2026-01-02"},
        "reason": "broken",
        "parts": [1, 2],
    }
    with pytest.raises(TypeError, match=r"parts\.0: a value of type Decimal"):
        move(Address("Elm 1", date(2026, 1, 2)), Reason.BROKEN, (Decimal("1.10"),))  # type: ignore[arg-type]  # wrong on purpose
    assert len(played.asked) == 1


def test_what_cannot_be_an_action_is_said_when_it_is_decorated() -> None:
    rail, _ = client()
    with pytest.raises(TypeError, match="name none"):

        @action("a.b", via=rail)
        def many(**values: str) -> None: ...

    with pytest.raises(TypeError, match="AsyncActions"):

        @action("a.b", via=rail)
        async def later() -> None: ...

    with pytest.raises(TypeError, match="'ctx'"):

        @action("a.b", via=rail, local=["ctx"])
        def none() -> None: ...


def test_without_a_client_the_environment_names_the_server() -> None:
    """In a process of its own, so that no other test sees its environment."""
    code = (
        "from handrail_client import action\n"
        "@action('a.b')\n"
        "def f() -> None: ...\n"
        "try: f()\n"
        "except RuntimeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={})
    assert done.stdout == "set HANDRAIL_URL and HANDRAIL_KEY, or give the decorator a client: via=...\n"


@pytest.mark.promise("CLI-3")
def test_importing_the_client_is_cheap_and_loads_nothing_but_the_standard_library() -> None:
    code = (
        "import sys, time\n"
        "before = set(sys.modules)\n"
        "begun = time.process_time()\n"
        "import handrail_client\n"
        "took = time.process_time() - begun\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before} - {'handrail_client'}\n"
        "foreign = sorted(new - sys.stdlib_module_names)\n"
        "print(took, foreign, 'asyncio' in sys.modules, 'http' in sys.modules)\n"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    assert min(float(run.stdout.split()[0]) for run in runs) < IMPORT_CPU_S
    assert all(run.stdout.split(maxsplit=1)[1] == "[] False False\n" for run in runs)


PERMIT = reply(
    200, action_id="ac_1", status="approved", permit="p.q.r", arguments={"order": "1", "amount": 5}, audience="shop",
    expires_at=1, report_within_s=60,
)  # fmt: skip
REDEEMED = reply(200, action_id="ac_1", status="claimed", report_by=1)
TAKEN = reply(409, error={"code": "action.already_decided", "message": "redeemed"})
CLAIMED = reply(202, action_id="ac_1", status="claimed", retry_after=5)
FAILED = reply(200, action_id="ac_1", status="failed", message="I am not able to do this.")


def paths(played: Played) -> list[str]:
    return [one.path.removeprefix("/api/v1/") for one in played.asked]


@pytest.mark.promise("CLI-5")
@pytest.mark.parametrize("kind", ["blocking", "awaited"])
def test_a_body_that_carries_it_out_runs_once_after_the_redeem_with_the_permits_arguments(kind: str) -> None:
    ran: list[tuple[str, int]] = []
    answers = [PERMIT, REDEEMED, DONE, HELD, PERMIT, TAKEN, CLAIMED, PERMIT, LOST, TAKEN, CLAIMED]
    if kind == "blocking":
        played = Played(answers)

        @action("shop.refund", via=Actions("http://h", "hr_x", attempts=2, transport=played), here=True)
        def refund(order: str, amount: int) -> dict[str, Any]:
            ran.append((order, amount))
            return {"receipt": "R-9"}

        def call() -> Any:
            return refund("1", 9)
    else:
        later = PlayedLater(answers)
        played = later

        @action("shop.refund", via=AsyncActions("http://h", "hr_x", attempts=2, transport=later), here=True)
        async def refund_later(order: str, amount: int) -> dict[str, Any]:
            ran.append((order, amount))
            return {"receipt": "R-9"}

        def call() -> Any:
            return asyncio.run(refund_later("1", 9))  # type: ignore[arg-type]  # it is a coroutine

    assert call() == {"receipt": "R-9"}
    assert paths(played) == ["decisions", "decisions/ac_1/redeem", "decisions/ac_1/outcome"]
    assert played.bodies[-1] == {"status": "done", "result": {"receipt": "R-9"}, "code": ""}
    assert call()["status"] == "held"
    assert call()["status"] == "claimed"
    assert call()["status"] == "claimed"  # its redeem was lost, and may have been taken
    assert ran == [("1", 5)]


@pytest.mark.promise("CLI-5")
def test_what_certainly_did_not_happen_is_reported_and_what_nobody_can_tell_is_not() -> None:
    rail, played = client(PERMIT, REDEEMED, FAILED, PERMIT, REDEEMED)
    wrong: list[Exception] = [NoEffect("drawer.empty"), ValueError("who knows")]

    @action("shop.refund", via=rail, here=True)
    def refund(order: str, amount: int) -> dict[str, Any]:
        raise wrong.pop(0)

    assert refund("1", 5)["status"] == "failed"
    assert played.bodies[-1] == {"status": "failed", "result": None, "code": "drawer.empty"}
    with pytest.raises(ValueError, match="who knows"):
        refund("1", 5)
    assert paths(played)[3:] == ["decisions", "decisions/ac_1/redeem"]


def test_a_permit_for_what_the_function_cannot_do_is_not_redeemed() -> None:
    rail, played = client(PERMIT)

    @action("shop.refund", via=rail, here=True)
    def refund(order: str) -> dict[str, Any]:
        raise AssertionError("the body ran")

    with pytest.raises(TypeError, match="'amount'"):
        refund("1")
    assert paths(played) == ["decisions"]


def test_what_has_not_happened_when_the_body_returns_is_never_reported_as_done() -> None:
    rail, played = client(PERMIT, REDEEMED)

    def parts(order: str, amount: int) -> Any:
        yield order

    with pytest.raises(TypeError, match="generator"):
        action("shop.refund", via=rail, here=True)(parts)

    @action("shop.refund", via=rail, here=True)
    def refund(order: str, amount: int) -> Any:
        return asyncio.Future(loop=loop)

    loop = asyncio.new_event_loop()
    with pytest.raises(TypeError, match="ac_1"):
        refund("1", 5)
    loop.close()
    assert paths(played) == ["decisions", "decisions/ac_1/redeem"]


def test_a_report_that_is_lost_leaves_the_result_and_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    rail, _ = client(PERMIT, REDEEMED, TAKEN)

    @action("shop.refund", via=rail, here=True)
    def refund(order: str, amount: int) -> dict[str, Any]:
        return {"receipt": "R-9", "at": object()}

    assert refund("1", 5)["receipt"] == "R-9"
    assert "ac_1 is done and could not be reported" in caplog.text


def test_a_permit_that_waits_for_a_person_is_asked_for_again_by_the_same_call() -> None:
    rail, played = client(HELD, HELD, HELD, HELD, PERMIT)
    given = rail.permit("shop.refund", {"order": "1"}, wait_s=10)
    assert isinstance(given, Permit)
    assert [one.method for one in played.asked] == ["POST", "GET", "POST", "GET", "POST"]
    assert len({one.body for one in played.asked if one.method == "POST"}) == 1
    rail, played = client(HELD, HELD, HELD)
    waits = rail.permit("shop.refund", {"order": "1"}, wait_s=1)
    assert not isinstance(waits, Permit)
    assert waits.status == Status.HELD
    rail, _ = client(TAKEN)
    with pytest.raises(Refused):
        rail.permit("shop.refund", {"order": "1"})
