"""Money in integer minor units with its currency; never a float."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """`minor`: integer minor units (cents). `currency`: ISO 4217 alphabetic code."""

    minor: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        """Raises ValueError when the currencies differ."""
        if self.currency != other.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.minor + other.minor, self.currency)
