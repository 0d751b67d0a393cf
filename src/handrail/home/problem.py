"""The error of a home that cannot be used; it carries every mistake."""

from collections.abc import Sequence

from handrail.home.mistake import Mistake
from handrail.terms.errors import Code, HandrailError


class HomeInvalid(HandrailError):
    """Code HOME_INVALID. `mistakes`: all of them, with their places."""

    def __init__(self, mistakes: Sequence[Mistake], message: str = "the home has mistakes") -> None:
        count = len(mistakes)
        first = f"; the first: {mistakes[0]}" if mistakes else ""
        super().__init__(Code.HOME_INVALID, f"{message} ({count} in all){first}")
        self.mistakes = tuple(mistakes)
