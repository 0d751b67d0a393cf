"""CEL by the C++ implementation's Python wrapper (`cel-expr-python`, the extra `cel`), behind `policy.cel`.

Chosen because it checks names and types when a condition is compiled; the others that were tried let a misspelt name
through and answered false, so a rule would have been silent. A condition cannot call anything, and its size is bounded:
at most two nested or chained comprehensions. When it cannot be answered it raises, and the action holds.
"""

import re
from collections.abc import Mapping
from typing import Any

from handrail.policy.cel import LONGEST, CelCompiler, CelError, CelProgram, NoCel

COMPREHENSIONS = 2
"""More of them could take quadratic time and worse in what an agent sends."""
_COMPREHENSION = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")


class _Program:
    """A compiled condition."""

    def __init__(self, cel: Any, expression: Any) -> None:
        self._cel, self._expression = cel, expression

    def holds(self, values: Mapping[str, Any]) -> bool:
        try:
            answer = self._expression.eval(data=dict(values))
            failed = answer.type() in (self._cel.Type.ERROR, self._cel.Type.UNKNOWN)
            plain = None if failed else answer.plain_value()
        except Exception as error:  # noqa: BLE001  the wrapper raises its C++ errors as many types; all mean: hold
            raise CelError(f"the condition cannot be answered ({type(error).__name__})") from None
        if not isinstance(plain, bool):
            raise CelError("the condition cannot be answered" if failed else "the condition is not true or false")
        return plain


class Cel:
    """Compiles conditions. `cel`: the wrapper's module."""

    def __init__(self, cel: Any) -> None:
        self._cel = cel
        self._types = {
            "string": cel.Type.STRING,
            "int": cel.Type.INT,
            "bool": cel.Type.BOOL,
            "map": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        }

    def compile(self, source: str, variables: Mapping[str, str]) -> CelProgram:
        if len(source) > LONGEST:
            raise CelError(f"longer than {LONGEST} characters")
        if len(_COMPREHENSION.findall(source)) > COMPREHENSIONS:
            raise CelError(f"more than {COMPREHENSIONS} of all, exists, exists_one, map, filter")
        try:
            env = self._cel.NewEnv(variables={name: self._types[kind] for name, kind in variables.items()})
            expression = env.compile(source)
            returned = expression.return_type()
        except Exception as error:  # noqa: BLE001  as above; at load a condition that does not compile is refused
            raise CelError(_first_line(str(error))) from None
        if returned not in (self._cel.Type.BOOL, self._cel.Type.DYN):
            raise CelError("the condition is not true or false")
        return _Program(self._cel, expression)


def installed_cel() -> CelCompiler:
    """The installed implementation, or one that refuses every condition."""
    try:
        from cel_expr_python import cel  # an extra: absent in the base install
    except ImportError:
        return NoCel()
    return Cel(cel)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:300]
