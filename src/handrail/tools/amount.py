"""The money an action would move, from its arguments; pure. Never a float: what cannot be read exactly is refused."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from handrail.terms.money import Money
from handrail.tools.paths import covers, leaves, one_at, values_at
from handrail.tools.registry import MoneyAt, Tool, Unit

_PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?")
"""An amount as text: what every target reads alike. Not `1_000`, `1e3`, `+5`, ` 5`, nor the digits of other scripts."""


def amount_of(arguments: dict[str, Any], at: MoneyAt, digits: dict[str, int]) -> Money:
    """`digits`: minor digits by ISO 4217 code. Raises ValueError saying what is wrong: no amount, no or an unknown
    currency, a negative amount, more decimals than the currency has, not a finite number."""
    currency = at.currency if at.currency_at is None else _currency(arguments, at.currency_at)
    if currency not in digits:
        raise ValueError(f"currency {currency!r} is not an ISO 4217 code")
    found = list(values_at(arguments, at.amount))
    if not found:
        raise ValueError(f"no amount at {at.amount}")
    return Money(sum(_minor(value, at.unit, digits[currency]) for value in found), currency)


def _currency(arguments: dict[str, Any], path: str) -> str:
    try:
        value = one_at(arguments, path)
    except LookupError:
        raise ValueError(f"no currency at {path}") from None
    if not isinstance(value, str) or not value.isascii():
        raise ValueError(f"the currency at {path} is not text of plain letters")
    return value.upper()


def _minor(value: Any, unit: Unit, digits: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("an amount is a number")
    if isinstance(value, str) and _PLAIN.fullmatch(value) is None:
        raise ValueError("an amount is a number, as text in plain digits with a point")
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("an amount is a number") from None
    if not exact.is_finite() or abs(exact) >= Decimal(10) ** 15:
        raise ValueError("an amount is finite and below 10^15")
    if unit is Unit.MAJOR:
        exact = exact.scaleb(digits)
    if exact != exact.to_integral_value():
        raise ValueError("an amount has more decimals than its currency")
    if exact < 0:
        raise ValueError("an amount is not negative")
    return int(exact)


def in_words(tool: Tool, path: str, arguments: dict[str, Any], value: Any, digits: int | None) -> Decimal | None:
    """The amount at this path as people say it, in major units; None for a path that is no amount. `digits`: minor
    digits of the call's currency. What cannot be read, and a sum that is also another value of the call (an order
    number), is one that nobody says (-1)."""
    at = tool.money
    if at is None or not covers(at.amount, path):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str) or digits is None:
        return _UNSAID
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        return _UNSAID
    if not exact.is_finite():
        return _UNSAID
    said = exact if at.unit is Unit.MAJOR else exact.scaleb(-digits)
    others = (other for there, other in leaves(arguments) if not covers(at.amount, there))
    return _UNSAID if any(_is(other, said) for other in others) else said


_UNSAID = Decimal(-1)


def _is(other: Any, said: Decimal) -> bool:
    """Whether another value of the call is the same number, alone or behind letters (`A1001`)."""
    digits = str(other).lstrip("#-_ ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    return not isinstance(other, bool) and digits.isdecimal() and len(digits) < 30 and Decimal(digits) == said
