"""What the demo plays, read from its data files."""

from importlib import resources
from typing import Any

import msgspec
from ruamel.yaml import YAML

from handrail.terms.decision import Outcome
from handrail.terms.finding import Kind

DATA = resources.files("handrail.app.demo")
HOME = DATA / "home"
MODEL_SCRIPT = DATA / "script.json"
UNKNOWN_KEY = "unknown"


class Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As the client offers it to the model. `parameters`: JSON Schema."""

    name: str
    description: str
    parameters: dict[str, Any]


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing somebody says, and what must come of it; the fields are explained at the top of `play.yaml`."""

    says: str
    model: str | None = None
    tools: tuple[str, ...] = ()
    results: dict[str, str] = {}
    planted: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    finds: tuple[Kind, ...] = ()
    outcome: Outcome = Outcome.ANSWERED


class Talk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One conversation. `dialect`: chat, responses or messages. `key`: `unknown` for a key that nobody made."""

    use_case: str
    language: str
    turns: tuple[Turn, ...]
    customer: str = ""
    conversation: str = ""
    channel: str = ""
    dialect: str = "chat"
    stream: bool = False
    key: str = ""


class Play(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tools: tuple[Tool, ...]
    conversations: tuple[Talk, ...]

    @property
    def planted(self) -> tuple[str, ...]:
        """Every value that must not arrive at the model."""
        return tuple(value for talk in self.conversations for turn in talk.turns for value in turn.planted)


def load() -> Play:
    """Raises msgspec.ValidationError for data that does not fit."""
    return msgspec.convert(YAML(typ="safe", pure=True).load((DATA / "play.yaml").read_text("utf-8")), Play)
