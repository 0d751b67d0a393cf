"""`handrail`: each command lives in a module of its own and is loaded when it is called."""

import importlib
import sys

import click

from handrail.terms.errors import HandrailError

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("home", "write a commented starter home"),
    "check": ("home", "say every mistake of a home, with its place"),
    "schema": ("home", "print the JSON Schema of the home's files"),
    "tools": ("tools", "draft tools/*.yaml from an OpenAPI document or an MCP server"),
    "trial": ("trial", "run synthetic conversations against a release; list and import them"),
    "policy": ("policy", "test the rules on actions, ask why, run them over recorded actions"),
    "publish": ("home", "put a home in force, within a second, without a restart"),
    "person": ("people", "persons, their roles and personal tokens"),
    "key": ("people", "API keys: create, list, rotate, revoke"),
    "serve": ("serve", "run the gateway"),
    "console": ("console", "run the console alone; serve runs it too"),
    "doors": ("mcp", "run the MCP door alone; serve runs it too where a tool needs it"),
    "mcp": ("mcp", "put an MCP server that speaks over stdin and stdout behind handrail"),
    "scan": ("scan", "read texts as JSON Lines, print what the detectors find"),
    "find": ("look", "search interactions by their facts"),
    "show": ("look", "show one interaction with its payload"),
    "log": ("look", "list entries of the ledger by kind"),
    "report": ("look", "what happened, what enforcing would have done, what was reported"),
    "verify": ("log", "check the ledger: a home, a URL or an exported bundle"),
    "proof": ("log", "write a proof file of one entry that a third party can check"),
    "check-proof": ("log", "check a proof file"),
    "export": ("log", "write the log and its facts as a bundle"),
    "log-key": ("log", "print the log's public key"),
    "approvals": ("approvals", "held actions: list, show, similar, approve, deny, edit, hand-on, settle"),
    "drill": ("drill", "wrong requests among the held actions: who catches them"),
    "stop": ("approvals", "stop the actions of an agent, use case, tool, release or target, or all"),
    "resume": ("approvals", "lift a stop; another person than who pulled it"),
    "undo": ("approvals", "undo an action that was done, where its tool can"),
    "watch": ("watch", "figures of customers beside those of the AI, each beside its own past"),
    "alerts": ("alerts", "what the watch found: list, show, acknowledge, silence"),
    "incident": ("incident", "incidents: whom they concern, tasks, notes, and the test that closes them"),
    "autonomy": ("autonomy", "levels that were lowered: show, demote, promote on stated figures"),
    "notices": ("notices", "notices of what waits: list, test a receiver, send again"),
    "release": ("release", "changed releases: compare, test, start, watch, promote, roll back"),
    "judge": ("judge", "say whether a canary is worse, from outcomes you bring"),
    "erase": ("erase", "destroy the key of a customer or a conversation"),
    "legal-hold": ("erase", "set or lift a legal hold"),
    "rotate-keys": ("erase", "replace the sealing key, the key-encryption key, or that of permits"),
    "doctor": ("doctor", "find and explain the likeliest mistakes"),
    "backup": ("backup", "copy keys, database and log in a safe order"),
    "restore": ("backup", "put a backup back"),
    "demo": ("demo", "a contact centre behind the net, with a scripted model"),
}


class Commands(click.Group):
    """Loads `handrail.cli.MODULE` for a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = COMMANDS.get(cmd_name)
        if row is None:
            return None
        module = importlib.import_module(f"handrail.cli.{row[0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="handrail")
def handrail() -> None:
    """The safety net for AI in customer experience."""


def main() -> None:
    """The console script. A HandrailError becomes one sentence and exit code 1; so does what the system refuses, such
    as a folder that cannot be written."""
    try:
        handrail(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(130)
    except HandrailError as error:
        click.echo(f"handrail: {error.message}  [{error.code.value}]", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(141)
    except OSError as error:
        where = f"{error.filename}: " if isinstance(error.filename, str) else ""
        click.echo(f"handrail: {where}{error.strerror or type(error).__name__}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
