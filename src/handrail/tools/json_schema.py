"""A JSON Schema that somebody else wrote, compiled so that it can do no harm: it fetches nothing (a `$ref` to another
host or file is refused) and its patterns take linear time."""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs


def compiled(schema: Mapping[str, Any]) -> Any:
    """A validator. Raises ValueError for what is no schema, refers to something outside of itself, or has a pattern
    that could be made to backtrack."""
    try:
        return jsonschema_rs.validator_for(dict(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions())
    except jsonschema_rs.ReferencingError as error:
        raise ValueError(str(error)) from None
