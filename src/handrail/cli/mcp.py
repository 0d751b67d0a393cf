"""`handrail mcp` and `handrail doors`."""

import asyncio
import os
from pathlib import Path

import click

from handrail.app.settings import HOME_VARIABLE, environment
from handrail.cli.options import loaded
from handrail.terms.errors import Code, HandrailError

KEY_VARIABLE = "HANDRAIL_API_KEY"


@click.command()
@click.option("--use-case", required=True, help="The use case of the API key.")
@click.option("--upstream", default="", help="Its name in the home, where several are of kind mcp-stdio.")
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, envvar="HANDRAIL_URL", help="The server.")
@click.option("--env", "names", multiple=True, help="A variable that the command shall get too; may be repeated.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def mcp(use_case: str, upstream: str, url: str, names: tuple[str, ...], command: tuple[str, ...]) -> None:
    """Put an MCP server that speaks over standard input and output behind handrail: COMMAND is started, and an agent
    talks to this process instead, as in `handrail mcp --use-case orders -- uvx mcp-server-time`.

    Every call is decided by the running server at --url, with the API key in HANDRAIL_API_KEY (scope act). COMMAND gets
    PATH, HOME and the like of the environment, and what --env names; never the key."""
    env = environment()
    key = env.get(KEY_VARIABLE, "").strip()
    if not key:
        raise HandrailError(Code.KEY_MISSING, f"the environment has no {KEY_VARIABLE}: handrail key create --scope act")
    try:
        from handrail.app.stdio_door import Wanted, serve  # deferred: an extra, absent in the base install
    except ImportError:
        raise HandrailError(
            Code.REQUEST_INVALID, "this needs the extra: make extras, or pip install 'handrail[mcp]'"
        ) from None
    pass_on = {name: env[name] for name in names if name in env and name != KEY_VARIABLE}
    wanted = Wanted(
        url=url.rstrip("/"), key=key, use_case=use_case, upstream=upstream, command=command[0],
        arguments=tuple(command[1:]), pass_on=pass_on,
    )  # fmt: skip
    asyncio.run(serve(wanted, os.urandom(12).hex()))


@click.command()
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    envvar=HOME_VARIABLE,
    show_default="the current folder",
    help="The home folder.",
)
def doors(home: Path) -> None:
    """Run the MCP door alone, until SIGTERM or Ctrl-C: /mcp/USE-CASE on the listener of `doors:` in handrail.yaml.

    `handrail serve` runs it too, as `doors.serve` says; alone it may stand on another machine of the same database."""
    from handrail.app.doors import alone  # deferred: only this command needs it

    raise SystemExit(alone(loaded(home)))
