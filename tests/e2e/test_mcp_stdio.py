"""`handrail mcp` before servers that this project did not write, and one of its own; asked with the official SDK's
client, decided by a running server."""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from acting_house import TillProcess, act, till
from house import HANDRAIL, Server, within
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp_house import McpHouse, told

BIN = Path(sys.executable).parent
DESK = str(Path(__file__).parents[1] / "mcp_desk.py")
READS = ("convert_time", "git_status", "git_log", "git_show")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stdio")


@pytest.fixture(scope="module")
def repository(folder: Path) -> Path:
    made = folder / "repository"
    git(None, "init", "-q", str(made))
    (made / "a.txt").write_text("one\n")
    return made


@pytest.fixture(scope="module")
def target(folder: Path) -> Iterator[TillProcess]:
    with till(folder) as process:
        yield process


@pytest.fixture(scope="module")
def commands(folder: Path, repository: Path) -> dict[str, list[str]]:
    return {
        "time": [str(BIN / "mcp-server-time")],
        "git": [str(BIN / "mcp-server-git"), "--repository", str(repository)],
        "counter": [sys.executable, DESK, "--stdio", "--log", str(folder / "counter.jsonl")],
    }


@pytest.fixture(scope="module")
def house(folder: Path, target: TillProcess, commands: dict[str, list[str]]) -> McpHouse:
    made = McpHouse(folder / "home", target.url, {})
    names: list[str] = []
    for name, command in commands.items():
        drafted = made.run("tools", "import", "--stdio", "--upstream", name, "--", *command).stdout
        for read in READS:  # the person who reads the draft knows that these only read
            drafted = re.sub(rf"(  {read}:\n    type: )\S+", r"\1read", drafted)
        drafted = re.sub(r"(  git_commit:\n    type: )\S+", r"\1write-undoable", drafted)
        drafted = re.sub(r"(  refund:\n    type: )\S+", r"\1access", drafted)
        (made.root / "tools" / f"{name}.yaml").write_text(drafted)
        names += [f"{name}.{tool}" for tool in re.findall(r"^  ([a-z_]+):$", drafted, re.MULTILINE)]
    path = made.root / "use-cases" / "orders.yaml"
    text = path.read_text().replace("tools: [till.refund, ", f"tools: [{', '.join(names)}, till.refund, ")
    text = text.replace(
        "  money: {", "  write-final: {risk: R3, autonomy: A2}\n  access: {risk: R3, autonomy: A2}\n  money: {"
    )
    path.write_text(text)
    made.publish()
    made.hire()
    return made


@pytest.fixture(scope="module")
def server(house: McpHouse) -> Iterator[Server]:
    with house.serving() as running:
        yield running


@pytest.fixture(scope="module")
def key(house: McpHouse, server: Server) -> str:
    made = house.agent()
    time.sleep(0.6)  # a real process takes it at its next look
    return made


@contextlib.asynccontextmanager
async def owner(
    server: Server, key: str, upstream: str, command: list[str], *, mode: str = "auto"
) -> AsyncIterator[Client]:
    """An agent before `handrail mcp` before the command."""
    words = [*HANDRAIL[1:], "mcp", "--use-case", "orders", "--upstream", upstream]
    words += ["--url", server.url.removesuffix("/v1"), "--", *command]
    started = StdioServerParameters(
        command=HANDRAIL[0], args=words, env={**os.environ, "HANDRAIL_API_KEY": key, "OUR_SECRET": "s"}
    )
    async with Client(started, mode=mode) as client:
        yield client


@pytest.mark.promise("MCP-7")
@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_servers_this_project_did_not_write_work_behind_it(
    server: Server, key: str, commands: dict[str, list[str]], repository: Path, mode: str
) -> None:
    (repository / f"{mode}.txt").write_text(mode)

    async def work() -> tuple[set[str], str, str, str]:
        async with (
            owner(server, key, "time", commands["time"], mode=mode) as clock,
            owner(server, key, "git", commands["git"], mode=mode) as git_,
        ):
            names = {tool.name for tool in (await clock.list_tools()).tools}
            noon = {"source_timezone": "Europe/Berlin", "time": "12:00", "target_timezone": "Etc/UTC"}
            converted = await clock.call_tool("convert_time", noon)
            repo = {"repo_path": str(repository)}
            await git_.call_tool("git_add", {**repo, "files": [f"{mode}.txt"]})
            committed = await git_.call_tool("git_commit", {**repo, "message": f"for {mode}"})
            log = await git_.call_tool("git_log", {**repo, "max_count": 1})
            return names, text(converted), text(committed), text(log)

    names, converted, committed, log = asyncio.run(work())
    assert names == {"get_current_time", "convert_time", "handrail_action_status", "handrail_action_cancel"}
    assert json.loads(converted)["target"]["timezone"] == "Etc/UTC"
    assert "committed" in committed.lower()
    assert f"for {mode}" in log
    assert git(repository, "log", "-1", "--format=%s") == f"for {mode}"


@pytest.mark.promise("MCP-8")
def test_what_is_held_runs_in_the_owning_process_once_it_is_approved(
    house: McpHouse, server: Server, key: str, commands: dict[str, list[str]], folder: Path
) -> None:
    given = {"order": "A-1", "amount": 500}

    async def work() -> tuple[Any, Any, Any, Any]:
        async with owner(server, key, "counter", commands["counter"]) as client:
            held = told(await client.call_tool("refund", given))
            assert not effects(folder)
            await asyncio.to_thread(house.approve, "ann", held["action_id"])
            looked = await client.call_tool("handrail_action_status", {"action_id": held["action_id"], "wait_s": 15})
            again = await client.call_tool("refund", given)
            gone = told(await client.call_tool("refund", {"order": "A-2", "amount": 5}))
            cancelled = await client.call_tool("handrail_action_cancel", {"action_id": gone["action_id"]})
            return held, told(looked), again, told(cancelled)

    held, looked, again, cancelled = asyncio.run(work())
    assert held["status"] == "held"
    assert looked["status"] == "done"
    assert told(again)["order"] == "A-1"
    assert cancelled["status"] == "cancelled"
    assert [(row["order"], row["amount"]) for row in effects(folder)] == [("A-1", 500)]
    kinds = [json.loads(line) for line in house.run("log", "--kind", "action", "--json").stdout.splitlines()]
    said = sorted(row["kind"] for row in kinds if row["about"] == held["action_id"])
    assert said == ["action.approved", "action.claimed", "action.decided", "action.done", "action.permitted"]


@pytest.mark.promise("MCP-9")
def test_what_waits_for_a_process_that_is_gone_cannot_be_executed(
    house: McpHouse, server: Server, key: str, commands: dict[str, list[str]], folder: Path
) -> None:
    async def work() -> str:
        async with owner(server, key, "counter", commands["counter"]) as client:
            return str(told(await client.call_tool("refund", {"order": "A-9", "amount": 500}))["action_id"])

    held = asyncio.run(work())
    within(15, lambda: held in house.said("approvals", "list", "--state", "unreachable"))
    house.approve("ann", held, code=1)
    assert not [row for row in effects(folder) if row.get("order") == "A-9"]


def test_other_doors_do_not_call_what_only_the_owner_can(server: Server, key: str) -> None:
    status, said = act(server, key, "counter.look_up", arguments={"order": "A"})
    assert (status, said["error"]["code"]) == (403, "tool.elsewhere")


@pytest.mark.promise("MCP-5")
def test_what_is_not_registered_or_not_ours_is_refused_with_its_code(
    server: Server, key: str, commands: dict[str, list[str]]
) -> None:
    async def work() -> tuple[Any, Any]:
        async with owner(server, key, "time", commands["time"]) as client:
            with pytest.raises(MCPError) as unregistered:
                await client.call_tool("shell", {"command": "ls"})
            denied = await client.call_tool("convert_time", {"time": 5})
            return unregistered.value.error, denied

    refused, denied = asyncio.run(work())
    assert refused.data["code"] == "tool.unregistered"
    assert told(denied)["status"] == "denied"
    assert denied.is_error


def effects(folder: Path) -> list[dict[str, Any]]:
    log = folder / "counter.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def text(result: Any) -> str:
    assert not result.is_error, result
    return "\n".join(block.text for block in result.content)


def git(folder: Path | None, *words: str) -> str:
    at = ["-C", str(folder)] if folder is not None else []
    done = subprocess.run(["git", *at, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()
