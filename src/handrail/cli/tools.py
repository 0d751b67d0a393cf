"""`handrail tools import`."""

import asyncio
import re
from pathlib import Path
from typing import Any

import click
import orjson
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from handrail.app.settings import environment
from handrail.app.wire.policy import listed, listed_at
from handrail.home.draft_tools import draft
from handrail.home.fields_tools import UPSTREAM, UPSTREAM_SAYS
from handrail.terms.errors import Code, HandrailError

MAX_BYTES = 32 << 20


@click.group()
def tools() -> None:
    """What agents may call (tools/*.yaml)."""


@tools.command("import")
@click.argument("what", nargs=-1, type=click.UNPROCESSED)
@click.option("--stdio", is_flag=True, help="WHAT is the command of an MCP server: it is started and asked.")
@click.option("--url", default="", help="The address of an MCP server over streamable HTTP, which is asked; no WHAT.")
@click.option("--key-env", default="", help="The variable that holds the key for --url.")
@click.option("--private-network", is_flag=True, help="The address of --url may be in a private network.")
@click.option("--upstream", default="target", show_default=True, help="Its name in the home; tools are UPSTREAM.NAME.")
@click.option("--base-url", default="", help="Its address, where the document does not say it.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write here; nothing is overwritten.")
def import_(
    what: tuple[str, ...],
    stdio: bool,
    url: str,
    key_env: str,
    private_network: bool,
    upstream: str,
    base_url: str,
    output: Path | None,
) -> None:
    """Draft a tools file from WHAT: a file with an OpenAPI 3 document (JSON or YAML) or with the answer of an MCP
    server to tools/list (JSON); - is standard input. With --stdio a server is asked itself (the extra mcp), as in
    `handrail tools import --stdio -- npx some-server`, or with --url over HTTP.

    The server's hints and the names raise what a tool counts as, never lower it. A person reads the draft."""
    if not re.search(UPSTREAM, upstream):
        raise click.BadParameter(UPSTREAM_SAYS, param_hint="--upstream")
    if not what and not url:
        raise click.UsageError("WHAT, or --url ADDRESS")
    if url and (stdio or what):
        raise click.UsageError("--url goes without WHAT and --stdio")
    if url:
        found: Any = asyncio.run(listed_at(url, key=_key(key_env), private_network=private_network))
    elif stdio:
        found = asyncio.run(listed(what[0], list(what[1:])))
    elif len(what) == 1:
        found = document(what[0])
    else:
        raise click.UsageError("one file, or --stdio -- COMMAND")
    try:
        made = draft(found, upstream=upstream, base_url=base_url or url, stdio=stdio)
    except ValueError as error:
        raise HandrailError(Code.REQUEST_INVALID, f"no tools can be drafted: {error}") from None
    if output is None:
        click.echo(made.text, nl=False)
    else:
        try:
            with output.open("x", encoding="utf-8") as file:
                file.write(made.text)
        except FileExistsError:
            raise HandrailError(Code.ALREADY, f"{output} is there already, and nothing is overwritten") from None
    for why in made.left_out:
        click.echo(f"left out: {why}", err=True)
    click.echo(f"{made.tools} tools drafted; read every line, then list them under tools: of a use case", err=True)


def _key(name: str) -> str:
    """Raises HandrailError KEY_MISSING for a variable that is not there."""
    if not name:
        return ""
    key = environment().get(name, "").strip()
    if not key:
        raise HandrailError(Code.KEY_MISSING, f"the environment has no {name}; see --key-env")
    return key


def document(name: str) -> Any:
    """Raises HandrailError REQUEST_INVALID for what is neither JSON nor YAML."""
    with click.open_file(name, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise HandrailError(Code.REQUEST_INVALID, f"{name} is larger than {MAX_BYTES} bytes")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return YAML(typ="safe", pure=True).load(data.decode("utf-8"))
    except (YAMLError, ValueError, RecursionError):
        raise HandrailError(Code.REQUEST_INVALID, f"{name} is neither JSON nor YAML") from None
