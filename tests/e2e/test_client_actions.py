"""The client SDK's actions against a real server, a real target and real commands; blocking and awaited."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from acting_house import ActingHouse, TillProcess, chat, till
from house import Server, scripted_model, within

from handrail_client import (
    Actions,
    AsyncActions,
    NoEffect,
    NotDone,
    Refused,
    Status,
    Unreachable,
    action,
    conversation,
)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TillProcess]:
    with till(tmp_path_factory.mktemp("till")) as process:
        yield process


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, target: TillProcess) -> Iterator[ActingHouse]:
    with scripted_model() as model:
        made = ActingHouse(tmp_path_factory.mktemp("house") / "home", target.url, model=model)
        tools = made.root / "tools" / "till.yaml"
        tools.write_text(tools.read_text().replace("  note:\n", "  note:\n    report_within_s: 30\n"))
        made.publish()
        made.hire()
        yield made


@pytest.fixture(scope="module")
def key(house: ActingHouse) -> str:
    return house.agent()


@pytest.fixture(scope="module")
def server(house: ActingHouse, key: str) -> Iterator[Server]:
    with house.serving("--workers", "1") as server:
        yield server


@pytest.fixture
def rail(server: Server, key: str) -> Actions:
    return Actions(server.url, key)


@pytest.fixture
def later(server: Server, key: str) -> AsyncActions:
    return AsyncActions(server.url, key)


@pytest.mark.promise("CLI-2")
def test_a_function_asks_waits_for_its_person_and_gets_the_receipt_once(
    house: ActingHouse, server: Server, key: str, rail: Actions, target: TillProcess
) -> None:
    @action("till.refund", via=rail)
    def refund(order: str, amount: int) -> dict[str, Any]:
        """Pay back an order. `amount`: cents."""

    with conversation("s-1", customer="c-1"):
        chat(server, key, "s-1", "Please refund 40 euros for order 70001.")
        assert refund("70001", 4_000)["amount"] == 4_000
        held = refund("70002", 2_500)
        assert isinstance(held, NotDone)
        assert held["status"] == "held"
        assert "colleague" in held["message"]
        assert refund("70002", 2_500)["action_id"] == held["action_id"]
        house.approve("ann", held["action_id"])
        assert rail.look(held["action_id"], wait_s=10).done
        assert refund("70002", 2_500)["amount"] == 2_500
    paid = [row["path"] for row in target.effects("/orders/7000")]
    assert sorted(paid) == ["/orders/70001/refunds", "/orders/70002/refunds"]


@pytest.mark.promise("CLI-2")
def test_a_coroutine_function_waits_for_its_person_while_others_go_on(
    house: ActingHouse, later: AsyncActions, target: TillProcess
) -> None:
    @action("till.refund", via=later, wait_s=20)
    async def refund(order: str, amount: int) -> dict[str, Any]:
        """Pay back an order. `amount`: cents."""

    @action("till.note", via=later)
    async def note(order: str, text: str) -> dict[str, Any]:
        """Write a note on an order."""

    async def work() -> tuple[Any, list[Any]]:
        with conversation("s-2", customer="c-1"):
            waiting = asyncio.create_task(refund("71001", 3_000))  # type: ignore[arg-type]  # it is a coroutine
            notes = await asyncio.gather(*(note(f"71{at}", "call back") for at in range(8)))
            assert not waiting.done()
            waits = (await later.ask("till.refund", {"order": "71001", "amount": 3_000})).id
            await asyncio.to_thread(house.approve, "ann", waits)
            return await waiting, list(notes)

    paid, notes = asyncio.run(work())
    assert paid["amount"] == 3_000
    assert len({note["id"] for note in notes}) == 8
    assert len(target.effects("/orders/71001")) == 1


@pytest.mark.promise("CLI-5")
def test_a_function_that_carries_it_out_itself_runs_once_and_its_report_is_the_receipt(
    rail: Actions, later: AsyncActions, target: TillProcess
) -> None:
    ran: list[str] = []

    @action("till.note", via=rail, here=True)
    def note(order: str, text: str) -> dict[str, Any]:
        """Write a note on an order."""
        ran.append(order)
        return {"id": f"own-{len(ran)}"}

    @action("till.note", via=later, here=True)
    async def note_later(order: str, text: str) -> dict[str, Any]:
        """Write a note on an order."""
        raise NoEffect("notes.full")

    with conversation("s-9", customer="c-1"):
        assert note("73001", "call back") == {"id": "own-1"}
        assert note("73001", "call back") == {"id": "own-1"}  # the same call: the stored result
        assert ran == ["73001"]
        failed: Any = asyncio.run(note_later("73002", "call back"))  # type: ignore[arg-type]  # it is a coroutine
        assert failed["status"] == "failed"
    assert target.effects("/notes/7300") == []


def test_cancelling_the_call_stops_the_waiting_and_cancel_takes_the_action_back(
    rail: Actions, later: AsyncActions, target: TillProcess
) -> None:
    call = {"order": "72001", "amount": 1_000}

    async def work() -> float:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await later.ask("till.refund", call, conversation="s-3", wait_s=30)
        return time.monotonic() - begun

    assert asyncio.run(work()) < 5
    held = rail.ask("till.refund", call, conversation="s-3")
    assert held.status == Status.HELD
    assert rail.cancel(held.id).status == Status.CANCELLED
    with pytest.raises(Refused):
        rail.cancel(held.id)
    assert asyncio.run(later.look(held.id)).over
    assert target.effects("/orders/72001") == []


@pytest.mark.promise("CLI-1")
@pytest.mark.parametrize("kind", ["blocking", "awaited"])
def test_an_answer_that_came_too_late_is_asked_for_and_nothing_happens_twice(
    server: Server, key: str, target: TillProcess, kind: str
) -> None:
    call = {"order": f"slow-1500-{kind}", "text": "x"}
    if kind == "blocking":
        ended = Actions(server.url, key, timeout_s=0.6).ask("till.note", call, wait_s=0)
        ended = Actions(server.url, key).look(ended.id, wait_s=10)
    else:

        async def work() -> Any:
            first = await AsyncActions(server.url, key, timeout_s=0.6).ask("till.note", call)
            return await AsyncActions(server.url, key).look(first.id, wait_s=10)

        ended = asyncio.run(work())
    assert ended.done
    assert len(target.effects(f"/notes/slow-1500-{kind}")) == 1


def test_what_is_wrong_with_a_call_is_said_by_its_code(
    house: ActingHouse, server: Server, rail: Actions, later: AsyncActions
) -> None:
    with pytest.raises(Refused) as refused:
        rail.ask("till.open_drawer", {})
    assert (refused.value.status, refused.value.code) == (403, "tool.unregistered")
    with pytest.raises(Refused) as refused:
        asyncio.run(later.look("ac_nobody"))
    assert (refused.value.status, refused.value.code) == (404, "store.not_found")
    with pytest.raises(Refused) as refused:
        Actions(server.url, "hr_nobody_x").ask("till.note", {"order": "1", "text": "x"})
    assert refused.value.code == "key.unknown"
    wrong = rail.ask("till.refund", {"order": "1", "amount": "all"})
    assert wrong.status == Status.DENIED
    assert wrong.told()["next"].startswith("It did not happen")


def test_a_server_that_is_not_there_is_unreachable_for_both_clients() -> None:
    nowhere = "http://127.0.0.1:9"
    with pytest.raises(Unreachable, match="after 2 attempts"):
        Actions(nowhere, "hr_x", attempts=2).ask("till.note", {})
    with pytest.raises(Unreachable, match="after 2 attempts"):
        asyncio.run(AsyncActions(nowhere, "hr_x", attempts=2).ask("till.note", {}))


def test_a_hundred_calls_at_once_in_one_loop_are_a_hundred_actions(later: AsyncActions, target: TillProcess) -> None:
    async def work() -> list[Any]:
        calls = [later.ask("till.note", {"order": f"many-{at}", "text": "x"}, wait_s=10) for at in range(100)]
        return list(await asyncio.gather(*calls))

    answers = asyncio.run(work())
    assert {answer.status for answer in answers} == {Status.DONE}
    assert len({answer.id for answer in answers}) == 100
    within(5, lambda: len(target.effects("/notes/many-")) == 100)


@pytest.mark.promise("CLI-1")
@pytest.mark.parametrize("kind", ["blocking", "awaited"])
def test_who_waits_while_the_server_is_restarted_gets_the_receipt_of_one_effect(
    house: ActingHouse, key: str, target: TillProcess, kind: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url, call = f"http://127.0.0.1:{port}", {"order": f"74-{kind}", "amount": 1_200}
    answers: list[Any] = []

    def wait() -> None:
        if kind == "blocking":
            answers.append(Actions(url, key, attempts=8).ask("till.refund", call, conversation="s-5", wait_s=60))
        else:
            rail = AsyncActions(url, key, attempts=8)
            answers.append(asyncio.run(rail.ask("till.refund", call, conversation="s-5", wait_s=60)))

    waiting = threading.Thread(target=wait)
    with house.serving("--workers", "1", "--port", str(port)) as first:
        waiting.start()
        held = within(10, lambda: [row for row in queue(house) if row["amount_minor"] == 1_200])
        first.kill()
    with house.serving("--workers", "1", "--port", str(port)):
        house.approve("ann", held[0]["action"])
        waiting.join(60)
    assert [answer.status for answer in answers] == [Status.DONE]
    assert answers[0].id == held[0]["action"]
    assert len(target.effects(f"/orders/74-{kind}")) == 1


def queue(house: ActingHouse) -> list[dict[str, Any]]:
    return [json.loads(line) for line in house.run("approvals", "list", "--json").stdout.splitlines()]
