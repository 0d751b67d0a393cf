"""`python -m handrail.app.scripted_model --port N [--script FILE]`: runs until SIGINT or SIGTERM."""

import asyncio
import signal
from pathlib import Path

import click
import uvloop

from handrail.app.scripted_model.script import Script, default_script, load
from handrail.app.scripted_model.server import serving


async def run(script: Script, host: str, port: int, key: str | None, pause_ms: int, remember: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(script, host=host, port=port, key=key, pause_ms=pause_ms, remember=remember) as model:
        click.echo(f"scripted model (no model inside, answers come from a script) at {model.url}/v1")
        await stop.wait()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8099, show_default=True, help="0 takes a free one and prints it.")
@click.option(
    "--script", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON; see script.py"
)
@click.option("--key", help="Refuse requests without this key.")
@click.option("--pause-ms", default=0, help="Between streamed events.")
@click.option("--remember", default=0, help="Keep so many requests in memory and show them at /scripted/seen.")
def main(host: str, port: int, file: Path | None, key: str | None, pause_ms: int, remember: int) -> None:
    """A model server that follows a script: for demos and tests. It contains no model."""
    try:
        script = load(file.read_bytes()) if file else default_script()
    except ValueError as problem:
        raise click.ClickException(f"{file}: {problem}") from None
    try:
        uvloop.run(run(script, host, port, key, pause_ms, remember))
    except OSError as problem:
        raise click.ClickException(
            f"cannot listen on {host}:{port}: {problem.strerror}; choose another --port"
        ) from None


if __name__ == "__main__":
    main()
