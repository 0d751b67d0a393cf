"""What trials showed, on SQLite and PostgreSQL: a run, its entry, its golden answers and the tests of a draft commit
together or not at all; a scheduled round is one process's."""

import asyncio
import hashlib
from typing import Any

import pytest
from contract.test_actions import hire
from fakes.storage import IDS, ORDERS, Rig
from msgspec.structs import replace

from handrail.ledger.commitment import read_facts
from handrail.people.key import Scope
from handrail.people.keys import CreateKey, CreateProbeKey
from handrail.policy.ruleset import PromptMode, canonical
from handrail.releases import desk
from handrail.releases.lifecycle import State
from handrail.releases.release import Release
from handrail.review.incident import IncidentState, Severity
from handrail.review.incidents import open_incident
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, UseCaseId
from handrail.trials.desk import PROBES, Recorded, RecordRun
from handrail.trials.expect import Failure
from handrail.trials.fingerprint import fingerprint
from handrail.trials.incidents import not_shown
from handrail.trials.results import CaseResult, Results

OPERATOR = Actor(ActorKind.SYSTEM, "operator")
DRAFT = Release(use_case=ORDERS, alias="orders", route=(), prompt_mode=PromptMode.CLIENT, prompt="draft")
NAME = Digest(hashlib.sha256(canonical(DRAFT)).hexdigest())


def results(*, wrong: int = 0, said: str = "", release: str = NAME) -> Results:
    failures = (Failure(turn=1, expected="contains: a", got="b"),)
    cases = tuple(
        CaseResult(
            id=f"case-{at}", use_case=ORDERS, release=release, turns=1, failures=failures if at < wrong else (),
            golden=fingerprint([said]) if said else None,
        )
        for at in range(3)
    )  # fmt: skip
    return Results(cases=cases, cases_digest=Digest("c" * 64))


def record(given: Results, **more: Any) -> RecordRun:
    return RecordRun(ids=IDS, use_case=ORDERS, release=NAME, results=given, **{"whole": True, **more})


async def drafted(durable: Rig) -> Any:
    store = await durable.open()

    def draft(tx: Any) -> None:
        tx.releases.put(NAME, DRAFT, by=OPERATOR, at_ms=tx.now_ms)
        assert desk.draft(tx, IDS, NAME, ORDERS, OPERATOR)

    await store.journal.run(draft)
    return store


async def kinds(store: Any) -> list[str]:
    found = await store.reader.entries(0, 1_000)
    return [str(read_facts(facts).kind) for _, facts in found]


async def state(store: Any) -> State:
    found: State = (await store.journal.run(lambda tx: tx.rollouts.get(NAME))).state
    return found


@pytest.mark.promise("TRI-3")
def test_a_whole_green_run_makes_a_draft_tested_and_anything_less_does_not(durable: Rig) -> None:
    async def run() -> None:
        store = await drafted(durable)
        for given in (
            record(results(), whole=False),
            record(results(), scheduled=True),
            record(results(wrong=1)),
        ):
            done: Recorded = await store.journal.run(given)
            assert await state(store) is State.DRAFT, given
        assert done.rollout is not None  # it was tested, and was not green
        done = await store.journal.run(record(results()))
        assert await state(store) is State.TESTED
        assert done.rollout is not None
        assert done.rollout.tested is not None
        assert done.rollout.tested.digest == results().digest() == done.run.digest
        await store.journal.run(record(results(wrong=3)))
        assert await state(store) is State.DRAFT  # what was green yesterday is not any more
        assert (await kinds(store)).count("trial.ran") == 5
        runs = await store.journal.run(lambda tx: tx.trials.runs(ORDERS, NAME))
        assert [(one.passed, one.failed, one.whole, one.scheduled) for one in runs] == [
            (0, 3, True, False), (3, 0, True, False), (2, 1, True, False), (3, 0, True, True), (3, 0, False, False),
        ]  # fmt: skip
        assert runs[2].cases[0].not_met == ("contains",)
        assert await store.journal.run(lambda tx: tx.trials.runs(None, Digest("0" * 64))) == []

    durable.run(run())


@pytest.mark.promise("TRI-3")
def test_a_run_that_may_not_be_recorded_leaves_nothing(durable: Rig) -> None:
    async def run() -> None:
        store = await drafted(durable)
        await store.journal.run(hire)  # now there are persons
        before = await kinds(store)
        with pytest.raises(HandrailError) as refused:
            await store.journal.run(record(results()))
        assert refused.value.code is Code.NOT_ALLOWED
        with pytest.raises(HandrailError) as refused:
            await store.journal.run(
                RecordRun(
                    ids=IDS, use_case=ORDERS, release=Digest("0" * 64), results=results(), whole=True, scheduled=True
                )
            )
        assert refused.value.code is Code.NOT_FOUND
        assert await kinds(store) == before
        assert await store.journal.run(lambda tx: tx.trials.runs()) == []
        assert await state(store) is State.DRAFT

    durable.run(run())


@pytest.mark.promise("TRI-12")
def test_a_draft_is_tested_only_with_the_cases_of_closed_incidents_and_may_not_start_without(durable: Rig) -> None:
    async def run() -> None:
        store = await drafted(durable)
        assert (await store.journal.run(record(results()))).rollout is not None
        assert await state(store) is State.TESTED

        def closed(tx: Any) -> str:
            made = open_incident(tx, IDS, use_case=ORDERS, title="a title", severity=Severity.S2)
            after = replace(made, state=IncidentState.CLOSED, version=1, test="late[chat,stream]", closed_at=tx.now_ms)
            tx.incidents.swap(made, after)
            return after.id

        def why(tx: Any) -> str:
            return not_shown(tx, tx.rollouts.get(NAME))

        assert await store.journal.run(why) == ""
        incident = await store.journal.run(closed)
        assert f"incident {incident} was closed by the test late" in await store.journal.run(why)
        done: Recorded = await store.journal.run(record(results()))
        assert done.missing == (f"late of incident {incident}",)
        assert await state(store) is State.DRAFT  # green cases, and one is not there
        named = {"case-0": "late", "case-1": "late[chat,whole]"}
        for wrong, shown in ((1, False), (0, True)):
            given = results(wrong=wrong)
            cases = tuple(replace(one, id=named.get(one.id, one.id)) for one in given.cases)
            done = await store.journal.run(record(replace(given, cases=cases)))
            assert done.missing == ()
            assert (await store.journal.run(why) == "") is shown
        assert await state(store) is State.TESTED
        await store.journal.run(record(results(), whole=False))  # some cases are not all
        assert await store.journal.run(why) == ""
        assert await store.journal.run(lambda tx: tx.incidents.closed_of(UseCaseId("other"))) == []

    durable.run(run())


@pytest.mark.promise("TRI-5")
def test_golden_answers_are_kept_by_release_and_a_change_is_written_down_once(durable: Rig) -> None:
    async def run() -> None:
        store = await drafted(durable)
        usual, other = "Your order arrives on Thursday.", "Nothing can be done about that at all."
        seen = []
        for said in (usual, usual, other, usual, other, other, other):
            done: Recorded = await store.journal.run(record(results(said=said), scheduled=True))
            seen.append(sorted(done.changed))
        every = ["case-0", "case-1", "case-2"]
        assert seen == [[], [], [], [], [], every, []]
        assert (await kinds(store)).count("probe.changed") == 3
        kept = await store.journal.run(lambda tx: tx.trials.golden(ORDERS, "case-0", NAME))
        assert kept.first == fingerprint([other])
        assert await store.journal.run(lambda tx: tx.trials.golden(ORDERS, "case-0", Digest("0" * 64))) is None

    durable.run(run())


@pytest.mark.promise("TRI-5")
def test_of_several_processes_one_has_a_round_and_the_next_is_a_period_later(durable: Rig) -> None:
    async def run() -> None:
        stores = [await durable.open() for _ in range(2)]
        took = await asyncio.gather(
            *[store.journal.run(lambda tx: tx.trials.take_turn(ORDERS, 60_000)) for store in stores for _ in range(4)]
        )
        assert sorted(took) == [False] * 7 + [True]
        assert await stores[0].journal.run(lambda tx: tx.trials.take_turn(ORDERS, 0))

    durable.run(run())


@pytest.mark.promise("TRI-2")
def test_a_key_for_probes_reports_no_outcome_and_belongs_to_a_use_case(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        known = frozenset({ORDERS})
        for scopes, use_case in (({Scope.PROBE, Scope.EVENTS}, ORDERS), ({Scope.PROBE}, None)):
            with pytest.raises(HandrailError) as refused:
                await store.journal.run(
                    CreateKey(ids=IDS, use_case=use_case, registered=known, scopes=frozenset(scopes))
                )
            assert refused.value.code is Code.REQUEST_INVALID
        made = await store.journal.run(
            CreateProbeKey(
                ids=IDS, use_case=ORDERS, registered=known, scopes=frozenset({Scope.CHAT}), agent="trial",
                expires_in_ms=1_000, by=PROBES,
            )
        )  # fmt: skip
        assert made.key.probe
        assert made.key.scopes == {Scope.CHAT, Scope.PROBE}
        assert made.key.expires_at - made.key.created_at == 1_000

    durable.run(run())
