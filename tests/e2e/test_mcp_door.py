"""The MCP door of a running server, asked with the official SDK's client; two MCP servers and an HTTP one behind it."""

import asyncio
import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from acting_house import TillProcess, till
from house import HANDRAIL, Server, within
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_house import TOOLS, Desk, McpHouse, agent, desk, refused, told

REVISIONS = ("2025-06-18", "2025-11-25", "2026-07-28")
REFUND = {"order": "48213", "amount": 4_000}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mcp")


@pytest.fixture(scope="module")
def target(folder: Path) -> Iterator[TillProcess]:
    with till(folder) as process:
        yield process


@pytest.fixture(scope="module")
def desks(folder: Path) -> Iterator[dict[str, Desk]]:
    with desk(folder, "desk") as one, desk(folder, "depot") as other:
        yield {"desk": one, "depot": other}


@pytest.fixture(scope="module")
def house(folder: Path, target: TillProcess, desks: dict[str, Desk]) -> McpHouse:
    made = McpHouse(folder / "home", target.url, {name: one.url for name, one in desks.items()})
    made.publish()
    made.hire()
    return made


@pytest.fixture(scope="module")
def server(house: McpHouse) -> Iterator[Server]:
    with house.serving() as running:
        house.opened()
        yield running


@pytest.fixture(scope="module")
def key(house: McpHouse, server: Server) -> str:
    made = house.agent()
    time.sleep(0.6)  # a real process takes it at its next look
    return made


def test_the_server_prints_where_the_door_is(house: McpHouse, server: Server) -> None:
    assert server.process.stdout is not None
    said = "".join(server.lines)
    while select.select([server.process.stdout], [], [], 0)[0]:
        said += os.read(server.process.stdout.fileno(), 65_536).decode()
    assert f"MCP door: {house.door}/mcp/USE-CASE\n" in said


@pytest.mark.promise("MCP-1")
@pytest.mark.parametrize("version", REVISIONS)
def test_every_tool_of_every_upstream_is_listed_under_a_name_of_its_own_and_can_be_called(
    house: McpHouse, key: str, desks: dict[str, Desk], target: TillProcess, version: str
) -> None:
    async def work(client: Client) -> Any:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        read = await client.call_tool("desk__look_up", {"order": version})
        note = await client.call_tool("till__note", {"order": version, "text": "hi"})
        wrote = await client.call_tool("depot__note_down", {"text": version})
        return tools, read, note, wrote

    tools, read, note, wrote = house.visit(key, work, version=version)
    named = {f"{name}__{tool}" for name in ("desk", "depot") for tool in TOOLS}
    named |= {f"till__{tool}" for tool in ("refund", "refund_by_key", "note", "forget")}
    assert set(tools) == named | {"handrail_action_status", "handrail_action_cancel"}
    schema = tools["desk__refund"].output_schema
    assert schema is not None
    assert [one["required"] for one in schema["anyOf"]] == [["order", "amount", "key"], ["status", "action_id"]]
    assert told(read) == {"order": version, "status": "delivered"}
    assert [row["body"]["text"] for row in target.effects(f"notes/{version}")] == ["hi"]
    assert note.structured_content["id"]
    assert [block.text for block in wrote.content] == [f"noted: {version}"]
    assert [row["text"] for row in desks["depot"].effects("note_down")].count(version) == 1
    assert version not in str(desks["desk"].effects("note_down"))


@pytest.mark.promise("MCP-16")
def test_a_server_over_http_is_asked_for_its_tools(house: McpHouse, desks: dict[str, Desk], tmp_path: Path) -> None:
    words = ("tools", "import", "--url", desks["desk"].url, "--upstream", "desk", "--key-env", "DESK_KEY")
    drafted = house.run(*words, "--private-network").stdout
    for tool in TOOLS:
        assert f"  {tool}:" in drafted
    assert f"base_url: {desks['desk'].url}" in drafted
    assert "kind: mcp\n" in drafted
    published = (house.root / "tools" / "desk.yaml").read_text()
    manifests = [line.split()[-1] for line in published.splitlines() if "manifest:" in line]
    assert all(manifest in drafted for manifest in manifests)  # the same digests as the server's calls are held to
    assert "desk-secret" not in drafted
    assert "egress.denied" in house.run(*words, code=1).stderr  # loopback is a private network
    house.run("tools", "import", code=2)
    assert "key.missing" in house.run(*words[:-1], "NO_SUCH_KEY", code=1).stderr


@pytest.mark.promise("MCP-2")
@pytest.mark.parametrize("version", REVISIONS)
def test_a_call_is_held_polled_approved_and_gives_its_receipt_once(
    house: McpHouse, key: str, desks: dict[str, Desk], version: str
) -> None:
    given = {"order": f"held-{version}", "amount": 700}

    async def ask(client: Client) -> Any:
        return await client.call_tool("desk__refund", given, meta={"handrail/conversation": f"c-{version}"})

    held = told(house.visit(key, ask, version=version))
    assert held["status"] == "held"
    assert held["message"]
    assert held["retry_after"] > 0
    assert told(house.visit(key, ask, version=version))["action_id"] == held["action_id"]
    assert not [row for row in desks["desk"].effects("refund") if row["order"] == given["order"]]

    async def waits(client: Client) -> Any:
        heard: list[tuple[float, float | None, str | None]] = []

        async def progress(at: float, total: float | None, message: str | None) -> None:
            heard.append((at, total, message))

        asked = {"action_id": held["action_id"], "wait_s": 20}
        waiting = asyncio.create_task(
            client.call_tool("handrail_action_status", asked, progress_callback=progress)
        )  # fmt: skip
        await asyncio.sleep(1.5)
        await asyncio.to_thread(house.approve, "ann", held["action_id"])
        return await waiting, heard

    done, heard = house.visit(key, waits, version=version)
    assert told(done)["status"] == "done"
    assert told(done)["result"]["order"] == given["order"]
    assert {message for _, _, message in heard} >= {"held"}
    again = house.visit(key, ask, version=version)
    assert not again.is_error
    assert (told(again)["order"], told(again)["amount"]) == (given["order"], 700)
    effects = [row for row in desks["desk"].effects("refund") if row["order"] == given["order"]]
    assert len(effects) == 1
    assert len(effects[0]["key"]) == 40
    assert effects[0]["key"] not in str(again)  # neither the agent nor the model sees it
    assert effects[0]["authorization"] == "Bearer desk-secret"


@pytest.mark.promise("MCP-3")
@pytest.mark.parametrize("version", REVISIONS)
def test_what_waits_is_taken_back_by_the_tool_and_by_cancelling_the_call(
    house: McpHouse, key: str, desks: dict[str, Desk], version: str
) -> None:
    async def by_tool(client: Client) -> Any:
        held = told(await client.call_tool("depot__refund", {"order": f"tool-{version}", "amount": 5}))
        return await client.call_tool("handrail_action_cancel", {"action_id": held["action_id"]})

    cancelled = house.visit(key, by_tool, version=version)
    assert told(cancelled)["status"] == "cancelled"

    async def by_leaving(client: Client) -> None:
        meta = {"handrail/wait": 20, "handrail/conversation": f"left-{version}"}
        given = {"order": f"left-{version}", "amount": 6}
        call = asyncio.create_task(client.call_tool("depot__refund", given, meta=meta))
        await asyncio.sleep(1.0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await asyncio.sleep(0.5)

    before = len(rows(house, "cancelled"))
    house.visit(key, by_leaving, version=version)
    within(5, lambda: len(rows(house, "cancelled")) == before + 1)
    assert not [row for row in desks["depot"].effects("refund") if version in row["order"]]


@pytest.mark.promise("MCP-3")
@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
def test_what_runs_when_the_agent_leaves_gets_to_its_end_and_keeps_its_receipt(
    house: McpHouse, key: str, version: str
) -> None:
    meta = {"handrail/conversation": f"running-{version}"}

    async def leave(client: Client) -> None:
        call = asyncio.create_task(client.call_tool("desk__count_slowly", {"to": 30}, meta=meta))
        await asyncio.sleep(0.8)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    before = {row["action"] for row in rows(house, "done")}
    house.visit(key, leave, version=version)

    def ended() -> bool:
        return len({row["action"] for row in rows(house, "done") if "count_slowly" in str(row)} - before) == 1

    within(10, ended)


@pytest.mark.promise("MCP-4")
def test_progress_of_the_target_reaches_the_agent(house: McpHouse, key: str) -> None:
    async def work(client: Client) -> Any:
        heard: list[tuple[float, float | None, str | None]] = []

        async def progress(at: float, total: float | None, message: str | None) -> None:
            heard.append((at, total, message))

        await client.read_resource("depot+shop://hours")  # loads the detectors, which read a target's words too
        result = await client.call_tool("desk__count_slowly", {"to": 3}, progress_callback=progress)
        await asyncio.sleep(0.2)
        return result, heard

    result, heard = house.visit(key, work)
    assert told(result) == {"result": 3}
    assert heard == [(1, 3, "at 1"), (2, 3, "at 2"), (3, 3, "at 3")]


@pytest.mark.promise("MCP-5")
def test_errors_have_stable_codes_and_clear_texts(house: McpHouse, key: str, desks: dict[str, Desk]) -> None:
    async def work(client: Client) -> Any:
        said: dict[str, Any] = {}
        for name, tool, given in (
            ("unregistered", "desk__redo", {}),
            ("nothing", "handrail_action_status", {"action_id": "ac_none"}),
        ):
            with pytest.raises(MCPError) as failed:
                await client.call_tool(tool, given)
            said[name] = failed.value.error
        said["denied"] = await client.call_tool("desk__refund", {"order": "A", "amount": "all"})
        said["none"] = await client.call_tool("depot__look_up", {"order": "none"})
        said["never"] = await client.call_tool("depot__note_down", {"text": "never"})
        said["broken"] = await client.call_tool("depot__note_down", {"text": "broken"})
        return said

    said = house.visit(key, work)
    assert said["unregistered"].data["code"] == "tool.unregistered"
    assert "tools/*.yaml" in said["unregistered"].message
    assert said["nothing"].data["code"] == "store.not_found"
    assert (said["denied"].is_error, told(said["denied"])["status"]) == (True, "denied")
    assert (said["none"].is_error, told(said["none"])["status"]) == (True, "failed")
    assert "there is no such order" in said["none"].content[0].text
    assert told(said["never"])["status"] == "failed"
    assert told(said["broken"])["status"] == "unknown"  # an effect is possible, and a person is asked
    assert len([row for row in desks["depot"].effects("note_down") if row["text"] == "broken"]) == 1


@pytest.mark.promise("MCP-6")
def test_only_the_key_of_the_use_case_opens_its_door(house: McpHouse, server: Server, key: str) -> None:
    door = f"{house.door}/mcp/orders"
    assert refused(door)[0] == 401
    assert refused(door, "hr_abcdefgh_nothing")[0] == 401
    other = house.key("--scope", "chat", "--token", house.staff["root"]).splitlines()[-1]
    assert refused(door, other)[1]["error"]["code"] == "key.scope"
    assert refused(f"{house.door}/mcp/another", key)[1]["error"]["code"] == "use_case.unregistered"
    assert refused(door, key, origin="https://evil.example")[1]["error"]["code"] == "person.not_allowed"


@pytest.mark.promise("MCP-2")
def test_a_stop_is_read_by_the_door_and_ends_what_waits(house: McpHouse, key: str) -> None:
    async def ask(client: Client) -> Any:
        return told(await client.call_tool("desk__refund", {"order": "stopped", "amount": 9}))

    held = house.visit(key, ask)
    assert held["status"] == "held"
    stop = house.by("cleo", "stop", "tool", "desk.refund", "--reason", "test").split(":")[0]
    try:

        async def look(client: Client) -> Any:
            seen = await client.call_tool("handrail_action_status", {"action_id": held["action_id"]})
            return told(seen), told(await client.call_tool("desk__refund", {"order": "other", "amount": 9}))

        seen, denied = house.visit(key, look)
        assert seen["status"] == "revoked"
        assert denied["status"] == "denied"
    finally:
        house.by("dora", "resume", stop)


@pytest.mark.promise("MCP-10")
@pytest.mark.parametrize("version", REVISIONS)
def test_resources_and_prompts_of_every_server_pass_kept_apart_and_read_by_the_detectors(
    house: McpHouse, key: str, version: str
) -> None:
    async def work(client: Client) -> Any:
        resources = [str(one.uri) for one in (await client.list_resources()).resources]
        templates = [one.uri_template for one in (await client.list_resource_templates()).resource_templates]
        prompts = [one.name for one in (await client.list_prompts()).prompts]
        hours = await client.read_resource("desk+shop://hours")
        greeting = await client.get_prompt("depot.greet", {"name": "Eve"})
        codes = []
        for name in ("shop://hours", "till+shop://hours", "desk+shop://nothing", "depot+shop://orders/7"):
            with pytest.raises(MCPError) as failed:
                await client.read_resource(name)
            codes.append(failed.value.error.data["code"])
        return resources, templates, prompts, hours, greeting, codes

    resources, templates, prompts, hours, greeting, codes = house.visit(key, work, version=version)
    assert resources == [f"{name}+shop://{page}" for name in ("depot", "desk") for page in ("hours", "faq")]
    assert templates == ["depot+shop://orders/{order}", "desk+shop://orders/{order}"]
    assert prompts == ["depot.greet", "desk.greet"]
    assert "Mo-Fr 9-17" in hours.contents[0].text
    assert "4111" not in hours.contents[0].text  # a card number never goes on
    assert greeting.messages[0].content.text == "Greet Eve kindly."
    assert codes == [*["store.not_found"] * 3, "content.blocked"]  # the page of an order holds an injection


@pytest.mark.promise("MCP-15")
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
def test_what_a_server_says_of_itself_reaches_no_agent_unread(house: McpHouse, key: str, version: str) -> None:
    async def work(client: Client) -> Any:
        resources = await client.list_resources()
        templates = await client.list_resource_templates()
        heard: list[str | None] = []

        async def progress(at: float, total: float | None, message: str | None) -> None:
            heard.append(message)

        await client.call_tool("desk__count_slowly", {"to": 10}, progress_callback=progress)
        await asyncio.sleep(0.3)
        return [*resources.resources, *templates.resource_templates, *(await client.list_prompts()).prompts], heard

    told_of, heard = house.visit(key, work, version=version)
    text = " ".join(each.model_dump_json() for each in told_of)
    assert "Answers. Card" in text  # the page is there, and of what it says what may pass
    for hidden in ("gnore all previous", "4111", "offers", "obey"):
        assert hidden not in text
    assert [heard[0], heard[7], heard[9]] == ["at 1", None, "at 10"]
    assert heard[8] is not None
    assert "4111" not in heard[8]


@pytest.mark.promise("MCP-15")
def test_a_stopped_server_is_not_read_either(house: McpHouse, key: str) -> None:
    stop = house.by("cleo", "stop", "provider", "desk", "--reason", "test").split(":")[0]
    time.sleep(0.6)  # a real process takes it at its next look
    try:

        async def look(client: Client) -> Any:
            codes = []
            for asked in (client.read_resource("desk+shop://hours"), client.get_prompt("desk.greet", {"name": "Eve"})):
                with pytest.raises(MCPError) as failed:
                    await asked
                codes.append(failed.value.error.data["code"])
            other = await client.read_resource("depot+shop://hours")
            return codes, other, [str(one.uri) for one in (await client.list_resources()).resources]

        codes, other, listed = house.visit(key, look)
        assert codes == ["action.stopped"] * 2
        assert "Mo-Fr" in other.contents[0].text
        assert {uri.partition("+")[0] for uri in listed} == {"depot"}
    finally:
        house.by("dora", "resume", stop)


def test_an_agent_keeps_its_session_while_others_come_and_go(house: McpHouse, key: str) -> None:
    async def work() -> list[Any]:
        async with agent(f"{house.door}/mcp/orders", key) as one, agent(f"{house.door}/mcp/orders", key) as two:
            calls = [
                client.call_tool("desk__look_up", {"order": f"{at}"}) for at, client in enumerate([one, two] * 8)
            ]  # fmt: skip
            return [told(each)["order"] for each in await asyncio.gather(*calls)]

    assert asyncio.run(work()) == [str(at) for at in range(16)]


@pytest.mark.promise("MCP-11")
@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
def test_a_changed_server_is_told_and_its_calls_hold_until_it_is_published(
    house: McpHouse, server: Server, key: str, folder: Path, version: str
) -> None:
    with desk(folder, f"shift{version[:4]}") as shift:
        name = f"shift{version[:4]}"
        house.register(name, shift.url)
        tools = house.root / "tools" / f"{name}.yaml"
        published = tools.read_text()
        path = house.root / "use-cases" / "orders.yaml"
        before = path.read_text()
        path.write_text(before.replace("tools: [", f"tools: [{name}.look_up, {name}.note_down, "))
        house.by("root", "publish", str(house.root))
        time.sleep(1)
        heard: list[str] = []

        async def hear(message: Any) -> None:
            heard.append(getattr(message, "method", ""))

        async def work() -> Any:
            async with agent(f"{house.door}/mcp/orders", key, version=version, message_handler=hear) as client:
                stack = contextlib.AsyncExitStack()
                if version == "2026-07-28":
                    await stack.enter_async_context(client.listen(tools_list_changed=True))
                fine = await client.call_tool(f"{name}__look_up", {"order": "a"})
                async with Client(shift.url, mode="legacy") as direct:
                    await direct.call_tool("redo", {})
                await asyncio.sleep(6)  # a listing serves decisions for five seconds
                changed = await client.call_tool(f"{name}__look_up", {"order": "b"})
                kept = await client.call_tool(f"{name}__note_down", {"text": "same as before"})
                waiting = rows(house, "held")
                await asyncio.to_thread(house.register, name, shift.url)
                await asyncio.to_thread(house.by, "root", "publish", str(house.root))
                await asyncio.sleep(1.5)
                again = await client.call_tool(f"{name}__look_up", {"order": "c"})
                await stack.aclose()
                return fine, changed, kept, again, waiting

        try:
            fine, changed, kept, again, waiting = asyncio.run(work())
        finally:
            path.write_text(before)
            tools.unlink()
            house.by("root", "publish", str(house.root))
        assert "manifest" in published
        assert told(fine)["order"] == "a"
        assert told(changed)["status"] == "held"
        why = next(row for row in waiting if row["action"] == told(changed)["action_id"])
        assert "tool.manifest_changed" in json.dumps(why)
        assert not kept.is_error
        assert told(again)["order"] == "c"
        assert "notifications/tools/list_changed" in heard


def rows(house: McpHouse, state: str) -> list[dict[str, str]]:
    said = house.run("approvals", "list", "--json", f"--state={state}").stdout
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.promise("MCP-5")
def test_the_door_alone_serves_and_counts_what_it_refused(tmp_path: Path, target: TillProcess) -> None:
    house = McpHouse(tmp_path / "home", target.url, {})
    path = house.root / "handrail.yaml"
    path.write_text(path.read_text().replace("doors: { ", "doors: { serve: never, "))
    house.publish()
    key = house.agent()
    command = [*HANDRAIL, "doors", "--home", str(house.root)]
    with subprocess.Popen(command, env={**os.environ, **house.env}, stderr=subprocess.PIPE, text=True) as process:
        try:
            house.opened()

            async def work(client: Client) -> Any:
                with pytest.raises(MCPError):
                    await client.call_tool("till__open_drawer", {})
                return await client.call_tool("till__note", {"order": "alone", "text": "x"})

            assert not house.visit(key, work).is_error
        finally:
            process.terminate()
            said = process.communicate(timeout=30)[1]
    assert process.returncode == 0, said
    assert len(target.effects("notes/alone")) == 1
    refused_calls = [json.loads(line) for line in house.run("log", "--kind", "call", "--json").stdout.splitlines()]
    assert [row["facts"]["code"] for row in refused_calls] == ["tool.unregistered"]
