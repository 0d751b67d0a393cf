"""What a customer is told of talking to a machine, in which language. Pure. Where there is no wording at all, nothing
is sent and nothing recorded: it is never said of anybody that she was told what was not sent."""

from typing import NamedTuple

from handrail.policy.ruleset import UseCase


class Told(NamedTuple):
    """`language`: of the wording; `und` where one text is for every language and none was recognised."""

    version: str
    language: str
    wording: str


def tell(use_case: UseCase, language: str) -> Told | None:
    """`language`: of the message, empty when it was not recognised. The wording for it (the use case's, else the
    built-in one: publishing puts both into the ruleset), else that of the use case's first language, else English."""
    own, version = use_case.disclosure.wording, use_case.disclosure.version
    for asked in (language, *use_case.languages[:1], "en"):
        for code in (asked, asked.partition("-")[0]):
            if wording := own.get(code):
                return Told(version, code, wording)
        if wording := own.get("*"):
            return Told(version, asked or "und", wording)
    return None


MOST_LANGUAGES = 64
"""Whose wording is remembered; detectors name about a dozen."""


class Telling:
    """`tell` for one use case, worked out once for each language. Lives as long as what is in force."""

    __slots__ = ("_told", "_use_case")

    def __init__(self, use_case: UseCase) -> None:
        self._use_case = use_case
        self._told: dict[str, Told | None] = {}

    def tell(self, language: str) -> Told | None:
        """As `tell` says."""
        if language not in self._told:
            if len(self._told) >= MOST_LANGUAGES:
                self._told.clear()
            self._told[language] = tell(self._use_case, language)
        return self._told[language]
