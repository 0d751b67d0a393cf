"""What limits count by, and what makes two calls the same, whatever way their values are written; pure.

`A-1`, ` a-1` and full-width digits are one order to a limit, and an object counts by itself, not by what else the call
names: a call that names three objects draws on a `per: object` limit of each. Calls with 40, 40.0 and "40.00" in the
place of the amount are the same call.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any

from handrail.policy.action import Fact, Vouched
from handrail.policy.action_rules import Per
from handrail.terms.action import Action
from handrail.tools.amount import amount_of
from handrail.tools.paths import replaced, values_at
from handrail.tools.registry import Tool

CUSTOMER = "customer.id"


def counted_by(per: Per, action: Action, tool: Tool, facts: tuple[Fact, ...]) -> tuple[str, ...]:
    """Each of these counts; none: it cannot be told, and a limit by it holds. `facts`: of the decision; a verified
    customer counts where the caller named none."""
    match per:
        case Per.CUSTOMER:
            known = [str(fact.value) for fact in facts if fact.name == CUSTOMER and fact.vouched is Vouched.VERIFIED]
            named = [str(action.customer)] if action.customer else known
            return tuple([_plain(one) for one in named[:1]])
        case Per.OBJECT:
            named_objects = {
                f"{kind}\0{_plain(value)}"
                for path, kind in tool.objects.items()
                for value in values_at(action.arguments, path)
            }
            return tuple(sorted(named_objects))
        case Per.ACTION:
            return (str(action.id),)
        case Per.CONVERSATION:
            return (str(action.conversation or ""),)
        case Per.AGENT:
            return (action.agent or action.key,)
        case Per.USE_CASE:
            return (str(action.use_case),)
        case Per.FLEET:
            return ("",)


def same_arguments(action: Action, tool: Tool, digits: Mapping[str, int]) -> dict[str, Any]:
    """The arguments in one form, to tell whether two calls are the same. Letters keep their case, for ids that differ
    by it; the currency does not."""
    arguments: dict[str, Any] = _one_form(action.arguments)
    at = tool.money
    if at is None:
        return arguments
    if at.currency_at is not None:
        for written in list(values_at(arguments, at.currency_at)):
            if isinstance(written, str):
                arguments = replaced(arguments, at.currency_at, written.upper())
    if "*" not in at.amount:
        try:
            money = amount_of(action.arguments, at, dict(digits))
        except ValueError:
            return arguments
        arguments = replaced(arguments, at.amount, f"{money.minor} minor")
    return arguments


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return unicodedata.normalize("NFKC", str(value)).strip().casefold()


def _one_form(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _one_form(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_one_form(one) for one in value]
    if isinstance(value, str):
        return unicodedata.normalize("NFKC", value).strip()
    return int(value) if isinstance(value, float) and value.is_integer() else value
