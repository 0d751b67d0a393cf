"""The money an action would move, from its arguments; pure. Never a float: what cannot be read exactly is refused."""

from decimal import Decimal, InvalidOperation
from typing import Any

from handrail.terms.money import Money
from handrail.tools.paths import one_at, values_at
from handrail.tools.registry import MoneyAt, Unit


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
    if not isinstance(value, str):
        raise ValueError(f"the currency at {path} is not text")
    return value.upper()


def _minor(value: Any, unit: Unit, digits: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("an amount is a number")
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
