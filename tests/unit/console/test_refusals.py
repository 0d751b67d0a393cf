"""What a command refuses, in the visitor's language."""

import asyncio
import json

import pytest
from fakes.console import bench, visitor

from handrail.console.here import Here
from handrail.console.refusals import is_english, told_why
from handrail.console.routes import Asked, Route
from handrail.console.words import Languages, Words
from handrail.people.role import Role
from handrail.terms.errors import Code, HandrailError

DECIDED = HandrailError(
    Code.ALREADY_DECIDED,
    "this action is {state} (decided by {by} at {when} UTC) already",
    parts={"state": "denied", "by": "Ann {state}, pe_1,", "when": "2026-11-21 10:00:00"},
)
OURS = HandrailError(Code.NOT_ALLOWED, "a sentence {x} that has no translation", parts={"x": "{y}"})


def words(language: str) -> Words:
    return Languages().words(chosen=language, accepts="", zone="UTC", now_ms=0)


@pytest.mark.promise("CON-12")
def test_a_refusal_is_said_in_german_with_what_stands_in_it_and_never_read_as_a_placeholder() -> None:
    said = told_why(DECIDED, words("de"))
    assert said == "Diese Aktion ist schon abgelehnt (entschieden von Ann {state}, pe_1,, 2026-11-21 10:00:00 UTC)."
    assert not is_english(DECIDED, words("de"))
    roles = HandrailError(
        Code.NOT_ALLOWED,
        "your roles may not decide this; route {route} asks: {roles}",
        parts={"route": "desk", "roles": "approver, owner"},
    )
    assert "der Weg desk fragt: Freigabe" in told_why(roles, words("de"))
    assert "approver" not in told_why(roles, words("de"))


def test_what_has_no_translation_stays_english_and_is_marked() -> None:
    assert told_why(OURS, words("de")) == OURS.message == "a sentence {y} that has no translation"
    assert is_english(OURS, words("de"))
    mixed = HandrailError(Code.NOT_ALLOWED, "a {state} thing without translation", parts={"state": "denied"})
    assert told_why(mixed, words("de")) == "a denied thing without translation"  # not half of each
    assert not is_english(OURS, words("en-GB"))


@pytest.mark.parametrize("problem", [DECIDED, OURS])
def test_the_page_marks_english_and_programs_get_the_stable_sentence(problem: HandrailError) -> None:
    async def refusing(_: object, __: Asked, ___: Here) -> object:
        raise problem

    row = Route(name="x", path="/x", title="X", handler=refusing, roles=frozenset({Role.OWNER}), template="x.html")
    made = bench([row], stubbed=False)
    page = asyncio.run(made.ask("GET", "/x", visitor(Role.OWNER), headers={"accept-language": "de"})).body.decode()
    assert ('<p lang="en">a sentence' in page) is (problem is OURS)
    assert ("schon abgelehnt" in page) is (problem is DECIDED)
    bearer = {"authorization": "Bearer role:owner", "accept-language": "de"}
    told = asyncio.run(made.ask("GET", "/api/x", headers=bearer)).body
    assert json.loads(told)["error"]["message"] == problem.message


def test_who_may_not_open_a_page_reads_why_in_german() -> None:
    async def never(_: object, __: Asked, ___: Here) -> object:
        raise AssertionError

    row = Route(name="x", path="/x", title="X", handler=never, roles=frozenset({Role.ADMIN}), template="x.html")
    made = bench([row], stubbed=False)
    page = asyncio.run(made.ask("GET", "/x", visitor(Role.STAFF), headers={"accept-language": "de"})).body.decode()
    assert "Ihre Rollen öffnen dies nicht" in page
