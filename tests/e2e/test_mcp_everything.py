"""The reference server of the MCP project, in TypeScript, over streamable HTTP behind the door; beside one of ours."""

import asyncio
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from acting_house import TillProcess, till
from house import Server
from mcp import Client
from mcp_house import Desk, McpHouse, desk, free_port, told

BINARY = Path(__file__).parents[1] / "npm" / "node_modules" / ".bin" / "mcp-server-everything"
LEFT_OUT = ("get-env",)
"""What nobody should offer to an agent is not registered."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("everything")


@pytest.fixture(scope="module")
def target(folder: Path) -> Iterator[TillProcess]:
    with till(folder) as process:
        yield process


@pytest.fixture(scope="module")
def ours(folder: Path) -> Iterator[Desk]:
    with desk(folder, "desk") as running:
        yield running


@pytest.fixture(scope="module")
def theirs() -> Iterator[str]:
    port = free_port()
    environment = {**os.environ, "PORT": str(port)}
    with subprocess.Popen(
        [str(BINARY), "streamableHttp"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                with socket.socket() as look:
                    if look.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.kill()
            process.wait(10)


@pytest.fixture(scope="module")
def house(folder: Path, target: TillProcess, ours: Desk, theirs: str) -> McpHouse:
    made = McpHouse(folder / "home", target.url, {"desk": ours.url})
    listed = folder / "tools.json"
    listed.write_text(json.dumps(asyncio.run(announced(theirs))))
    drafted = made.run(
        "tools", "import", str(listed), "--upstream", "everything", "--base-url", theirs
    ).stdout  # fmt: skip
    drafted = drafted.replace("upstream:\n", "upstream:\n  private_network: true\n", 1)
    drafted = re.sub(r"(  trigger-long-running-operation:\n    type: )\S+", r"\1read", drafted)
    drafted = re.sub(r"(  toggle-simulated-logging:\n    type: )\S+", r"\1write-final", drafted)
    (made.root / "tools" / "everything.yaml").write_text(drafted)
    names = [f"everything.{name}" for name in re.findall(r"^  ([a-z-]+):$", drafted, re.MULTILINE)]
    path = made.root / "use-cases" / "orders.yaml"
    text = path.read_text().replace("tools: [", f"tools: [{', '.join(names)}, ")
    path.write_text(text.replace("  money: {", "  write-final: {risk: R3, autonomy: A2}\n  money: {"))
    made.publish()
    made.hire()
    return made


@pytest.fixture(scope="module")
def server(house: McpHouse) -> Iterator[Server]:
    with house.serving() as running:
        house.opened()
        yield running


@pytest.mark.npm
@pytest.mark.promise("MCP-7")
def test_the_reference_server_works_behind_the_door(house: McpHouse, server: Server) -> None:
    key = house.agent()
    time.sleep(0.6)  # a real process takes it at its next look

    async def work(client: Client) -> dict[str, Any]:
        heard: list[float] = []

        async def progress(at: float, total: float | None, message: str | None) -> None:
            heard.append(at)

        async def call(name: str, **given: Any) -> Any:
            return await client.call_tool(f"everything__{name}", given, progress_callback=progress)

        return {
            "tools": {tool.name for tool in (await client.list_tools()).tools},
            "sum": await call("get-sum", a=2, b=3),
            "image": await call("get-tiny-image"),
            "weather": await call("get-structured-content", location="Chicago"),
            "wrong": await call("get-sum", a="two", b=3),
            "long": await call("trigger-long-running-operation", duration=1, steps=2),
            "held": await call("toggle-simulated-logging"),
            "ours": await client.call_tool("desk__look_up", {"order": "A"}),
            "resources": [str(one.uri) for one in (await client.list_resources()).resources],
            "read": await client.read_resource("everything+demo://resource/dynamic/text/1"),
            "prompts": [one.name for one in (await client.list_prompts()).prompts],
            "prompt": await client.get_prompt("everything.args-prompt", {"city": "Chicago", "state": "Illinois"}),
            "heard": heard,
        }

    said = house.visit(key, work)
    assert "everything__get-sum" in said["tools"]
    assert "everything__get-env" not in said["tools"]
    assert "5" in said["sum"].content[0].text
    assert [block.type for block in said["image"].content] == ["text", "image", "text"]
    assert said["weather"].structured_content.keys() == {"temperature", "conditions", "humidity"}
    assert told(said["wrong"])["status"] == "denied"
    assert said["heard"] == [1, 2]
    assert told(said["held"])["status"] == "held"
    assert told(said["ours"])["order"] == "A"
    assert {uri.partition("+")[0] for uri in said["resources"]} == {"everything", "desk"}
    assert "Resource 1" in said["read"].contents[0].text
    assert {"everything.simple-prompt", "desk.greet"} <= set(said["prompts"])
    assert "Chicago" in said["prompt"].messages[0].content.text


async def announced(url: str) -> dict[str, Any]:
    async with Client(url) as client:
        tools = (await client.list_tools()).tools
    kept = [tool for tool in tools if tool.name not in LEFT_OUT]
    return {"tools": [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in kept]}
