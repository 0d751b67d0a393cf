"""A folder of `tools/*.yaml` and `rules/*.yaml` as replay and tests read it, with places; nothing is published."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
from ruamel.yaml import YAML

from handrail.detectors.assent import assent_reader
from handrail.policy.action_rules import ActionRules
from handrail.policy.replay import World
from handrail.policy.ruleset import Audience, Autonomy, Level, Mode, Risk, UseCase
from handrail.policy.written import Source, joined, rules_of, tools_of
from handrail.terms.action import ActionType
from handrail.terms.ids import UseCaseId
from handrail.tools.registry import Tool, Upstream, UpstreamId

DIGITS = {"USD": 2, "EUR": 2, "GBP": 2, "CHF": 2, "JPY": 0, "KWD": 3}
EXAMPLES = Path(__file__).parent.parent / "examples/policies"
READER = assent_reader()


@dataclass(frozen=True)
class Home:
    """One use case with its tools and rules."""

    use_case: UseCase
    upstreams: dict[UpstreamId, Upstream]
    tools: tuple[Tool, ...]
    rules: ActionRules


def read(path: Path) -> tuple[Any, Source]:
    """The file's values, and the way from a node to its line."""
    tree = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    name = f"{path.parent.name}/{path.name}"

    def where(node: Any) -> str:
        line = getattr(getattr(node, "lc", None), "line", None)
        return f"{name}:{line + 1}" if line is not None else name

    return tree, Source(name, where)


def load_home(name: str, autonomy: Autonomy = Autonomy.A3, folder: Path = EXAMPLES) -> Home:
    upstreams: dict[UpstreamId, Upstream] = {}
    tools: list[Tool] = []
    for path in sorted((folder / name / "tools").glob("*.yaml")):
        upstream, found = tools_of(*read(path))
        upstreams[upstream.id] = upstream
        tools += found
    parts = [rules_of(*read(path), tools) for path in sorted((folder / name / "rules").glob("*.yaml"))]
    return Home(use_case_of(name, autonomy), upstreams, tuple(tools), joined(parts))


def use_case_of(name: str, autonomy: Autonomy, mode: Mode = Mode.ENFORCE) -> UseCase:
    return UseCase(
        id=UseCaseId(name), name=name, purpose="replay", owner="o", deputy="d", escalation="e", channels=("chat",),
        audience=Audience.CUSTOMER, languages=("en",), regions=("US",), data_classes=(), mode=mode, findings={},
        levels={kind: Level(risk=Risk.R2, autonomy=autonomy) for kind in ActionType},
    )  # fmt: skip


def world_of(home: Home, decode: Any = None) -> World:
    validators = {tool.id: jsonschema.Draft202012Validator(tool.arguments) for tool in home.tools}

    def schema(tool: Tool, arguments: dict[str, Any]) -> tuple[str, ...]:
        return tuple(sorted({error.json_path for error in validators[tool.id].iter_errors(arguments)}))

    extra = {"decode": decode} if decode else {}
    return World(
        use_case=home.use_case.id,
        tools={tool.name: tool for tool in home.tools},
        upstreams=home.upstreams,
        digits=DIGITS,
        reader=READER,
        schema=schema,
        **extra,
    )
