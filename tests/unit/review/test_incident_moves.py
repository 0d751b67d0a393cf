"""Moves of an incident by forms: sent twice, or older than what they change."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.review import incident as moves
from handrail.review.incident import Incident, IncidentState, Severity
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId

ONE = Incident(
    id="ic_1", use_case=UseCaseId("chat"), title="It broke", severity=Severity.S2, owner="a@shop.example", opened_at=1
)
OWNERS, SEVERITIES = st.sampled_from(["a@x", "b@x", "c@x"]), st.sampled_from(list(Severity))


def code(move: object) -> Code | None:
    try:
        move()  # type: ignore[operator]  # a lambda
    except HandrailError as refused:
        return refused.code
    return None


@pytest.mark.promise("CIN-3")
@given(st.tuples(OWNERS, OWNERS), st.tuples(SEVERITIES, SEVERITIES), OWNERS, SEVERITIES)
@pytest.mark.promise("CIN-20")
def test_a_form_that_is_older_than_the_incident_sets_nothing_back(
    owner: tuple[str, str], severity: tuple[Severity, Severity], owner_now: str, severity_now: Severity
) -> None:
    now = msgspec.structs.replace(ONE, owner=owner_now, severity=severity_now)
    try:
        after = moves.changed_as_seen(now, owner=owner, severity=severity)
    except HandrailError as refused:
        assert refused.code in (Code.LOST_RACE, Code.REQUEST_INVALID)  # noqa: PT017  most of what is drawn is taken
        return
    for (shown, meant), was, is_now in (
        (owner, now.owner, after.owner), (severity, now.severity, after.severity),
    ):  # fmt: skip
        assert is_now == (was if shown == meant else meant), "what was not touched stays, what was is done"
        if shown != meant:
            assert was in (shown, meant), "nobody else changed it to something else"
    assert after.version == now.version + 1


def test_an_incident_stays_somebodys_and_a_change_of_nothing_is_said_to_be_none() -> None:
    same = (Severity.S2, Severity.S2)
    assert code(lambda: moves.changed_as_seen(ONE, owner=(ONE.owner, ""), severity=same)) is Code.REQUEST_INVALID
    assert code(lambda: moves.changed_as_seen(ONE, owner=(ONE.owner, ONE.owner), severity=same)) is Code.REQUEST_INVALID
    shut = msgspec.structs.replace(ONE, state=IncidentState.CLOSED)
    assert code(lambda: moves.changed_as_seen(shut, owner=(ONE.owner, "b@x"), severity=same)) is Code.INCIDENT_STATE


@pytest.mark.promise("CIN-20")
def test_a_note_or_task_that_is_sent_twice_stands_there_once() -> None:
    noted = moves.noted(ONE, "It was the prompt. ", by="pe_1", now=2)
    assert code(lambda: moves.noted(noted, "It was the prompt.", by="pe_1", now=3)) is Code.ALREADY_DECIDED
    assert code(lambda: moves.noted(noted, "It was the prompt.", by="pe_2", now=3)) is None, "another says so too"
    tasked = moves.tasked(ONE, "write to them", owner="b@x")
    assert code(lambda: moves.tasked(tasked, "write to them", owner="b@x")) is Code.ALREADY_DECIDED
    assert code(lambda: moves.tasked(tasked, "write to them", owner="c@x")) is None
    done = moves.task_done(tasked, 1, now=4)
    assert code(lambda: moves.tasked(done, "write to them", owner="b@x")) is None, "it is to be done once more"
