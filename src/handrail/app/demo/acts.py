"""What the demo's agent is asked for, read from `acts.yaml`; pure. The fields are explained at its top."""

from collections.abc import Iterable
from typing import Any

import msgspec
from ruamel.yaml import YAML

from handrail.app.demo.script import DATA, MODEL_SCRIPT, Tool
from handrail.tools.registry import Tool as Registered

ORDER = "KP-#"


class Act(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call that the agent makes, and what must come of it."""

    tool: str
    ends: str
    because: str = ""
    person: bool = False


class Scene(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    title: str
    customer: str
    says: str
    acts: tuple[Act, ...]


class Waiting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A refund that waits for a visitor of the console. `amount`: in euros."""

    customer: str
    says: str
    order: str
    amount: float


class Acts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`orders`: the shop's, by number."""

    orders: dict[str, dict[str, Any]]
    scenes: tuple[Scene, ...]
    waiting: tuple[Waiting, ...]


def load(run: int) -> Acts:
    """`run`: how often this home was played, from 1. Raises msgspec.ValidationError for data that does not fit."""
    text = numbered((DATA / "acts.yaml").read_text("utf-8"), run)
    return msgspec.convert(YAML(typ="safe", pure=True).load(text), Acts)


def model_script(run: int) -> str:
    return numbered(MODEL_SCRIPT.read_text("utf-8"), run)


def numbered(text: str, run: int) -> str:
    """A kept home knows the orders of its earlier plays, so each play has numbers of its own."""
    return text.replace(ORDER, f"KP-{310 + run}")


def offered(registered: Iterable[Registered]) -> tuple[Tool, ...]:
    """The tools as a model is offered them: without those that only handrail asks, what became of a call."""
    tools = list(registered)
    asked = {str(tool.outcome.call.tool) for tool in tools if tool.outcome is not None}
    return tuple(Tool(tool.name, tool.title, tool.arguments) for tool in tools if tool.id not in asked)
