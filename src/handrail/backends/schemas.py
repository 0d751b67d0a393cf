"""Arguments against the schema of their tool, by jsonschema-rs (JSON Schema 2020-12), compiled once per registration.

A schema names every argument there is (`tools.closed`), and `format` is checked. Nothing is fetched (a schema that
points elsewhere does not compile) and patterns run in linear time, so that neither a schema nor an argument can reach
out or stop the process. A schema that does not compile refuses every call of its tool.
"""

from collections.abc import Mapping
from typing import Any

from handrail.terms.action import ToolId
from handrail.tools.closed import closed
from handrail.tools.registry import Tool

WHOLE = "$"
"""The path of the arguments as a whole, and of a schema that does not compile."""


class ArgumentSchemas:
    """`guard.action_ports.Schemas`. Keeps one compiled schema per tool: as many as the ruleset has tools."""

    def __init__(self) -> None:
        self._compiled: dict[ToolId, tuple[dict[str, Any], Any]] = {}

    def errors(self, tool: Tool, arguments: Mapping[str, Any]) -> tuple[str, ...]:
        """Paths that the schema refuses, sorted; empty: it fits. Never a value."""
        known = self._compiled.get(tool.id)
        if known is None or known[0] is not tool.arguments:
            known = self._compiled[tool.id] = (tool.arguments, _compiled(tool.arguments))
        if known[1] is None:
            return (WHOLE,)
        try:
            found = {
                ".".join(map(str, error.instance_path)) or WHOLE for error in known[1].iter_errors(dict(arguments))
            }
        except (ValueError, OverflowError):  # a number that JSON cannot hold, or a value nested without end
            return (WHOLE,)
        return tuple(sorted(found))


def _compiled(schema: dict[str, Any]) -> Any:
    """None when it is no schema, or refers to another document."""
    import jsonschema_rs  # deferred: a server without tools keeps it out of its memory

    try:
        return jsonschema_rs.Draft202012Validator(
            closed(schema), offline=True, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (ValueError, jsonschema_rs.ReferencingError):
        return None
