"""Small homes as text, for tests."""

from typing import Any

import jsonschema

from handrail.home.check_rules import Engines
from handrail.home.text import HomeText
from handrail.tools.registry import Tool

HANDRAIL = """\
organisation: Example Shop
time_zone: Europe/Berlin
currency: EUR
providers:
  openai:
    dialect: openai
    base_url: https://api.openai.com/v1
    key_env: OPENAI_API_KEY
    models: [gpt-4.1, gpt-4.1-mini]
prices:
  openai/gpt-4.1: {input: 2.00, output: 8.00}
defaults:
  owner: ada@shop.example
  deputy: ben@shop.example
  escalation: desk@shop.example
  languages: [en, de]
  regions: [DE]
"""

CHAT = """\
id: chat
name: Chat
purpose: Answers questions about orders.
channels: [chat]
audience: customer
data_classes: [contact]
levels:
  read: {risk: R1, autonomy: A3}
  assert: {risk: R1, autonomy: A3}
model:
  route: [openai/gpt-4.1]
"""

ZONES = frozenset({"Europe/Berlin", "Europe/London", "UTC"})


def home(texts: dict[str, str] | None = None, *, names: frozenset[str] = frozenset()) -> HomeText:
    """A good home with `texts` over it."""
    all_texts = {"handrail.yaml": HANDRAIL, "use-cases/chat.yaml": CHAT, **(texts or {})}
    return HomeText(texts=all_texts, names=frozenset(all_texts) | names, time_zones=ZONES)


def argument_errors(tool: Tool, arguments: dict[str, Any]) -> tuple[str, ...]:
    """Paths that the schema refuses, by another implementation than the server's."""
    found = jsonschema.Draft202012Validator(tool.arguments).iter_errors(arguments)
    return tuple(sorted({".".join(map(str, error.absolute_path)) or "$" for error in found}))


ENGINES = Engines(schema=argument_errors)
