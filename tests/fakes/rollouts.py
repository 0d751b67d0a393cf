"""A use case with a canary on a real store, its outcomes and its judge: for the suites of rollouts."""

from typing import Any

from fakes.gateway import world
from fakes.storage import CLOCK, IDS, ORDERS, begin
from handrail.app.judging import Judging
from handrail.guard.caller import Caller, Draws, caller_of
from handrail.in_force.running import Running
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.token import Token, TokenKind, new_token
from handrail.policy.evaluate import rules_of
from handrail.policy.ramp import Outcome, Ramp, RampMetric, Stage
from handrail.policy.ruleset import PromptMode, digest
from handrail.releases import desk, lifecycle
from handrail.releases.assign import Arm, drawn
from handrail.releases.judge import Judge, Unit
from handrail.releases.lifecycle import Rollout
from handrail.releases.release import Release, Target
from handrail.releases.units import plan_of
from handrail.review.outcome import OutcomeData, OutcomeEvent, OutcomeType
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.ids import Digest, PersonId, ProviderId

BY = Actor(ActorKind.SYSTEM, "operator")
RAMP = Ramp(
    stages=(Stage(share=0.2), Stage(share=0.5)), maturity_minutes=0.0, planned_units=2000,
    metrics=(RampMetric(name=Outcome.COMPLAINT, reference=0.05), RampMetric(name=Outcome.CSAT_LOW)),
)  # fmt: skip


def a_release(prompt: str) -> Release:
    return Release(
        use_case=ORDERS, alias="orders", route=(Target(provider=ProviderId("mock"), model="m"),),
        prompt_mode=PromptMode.MANAGED, prompt=prompt,
    )  # fmt: skip


OLD, NEW = a_release("Answer well."), a_release("Answer briefly.")


class Started:
    """A use case with a live release and a canary, on one store."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.rollout = Rollout(release=digest(NEW), use_case=ORDERS, author="operator", created_at=0)

    async def begin(self, ramp: Ramp = RAMP, *, tests: bool = True) -> "Started":
        def publish(tx: Any) -> None:
            for one in (OLD, NEW):
                tx.releases.put(digest(one), one, by=BY, at_ms=tx.now_ms)
            tx.releases.set_live(ORDERS, digest(OLD), expected=None, at_ms=tx.now_ms)
            desk.draft(tx, IDS, digest(NEW), ORDERS, BY)

        def start(tx: Any) -> Rollout:
            before = tx.rollouts.get(digest(NEW))
            after = lifecycle.started(
                before, ramp, salt=IDS.token(16), control=digest(OLD), used=frozenset(), now=tx.now_ms
            )
            tx.rollouts.swap(before, after)
            tx.bump_epoch()
            return after

        await self.store.journal.run(publish)
        if tests:
            await self.test(passed=3)
        self.rollout = await self.store.journal.run(start)
        return self

    async def test(self, *, passed: int, failed: int = 0) -> None:
        await self.store.journal.run(
            desk.RecordTests(
                ids=IDS, release=digest(NEW), passed=passed, failed=failed, digest=Digest("d" * 64), token=None
            )
        )

    async def converse(self) -> tuple[Any, Arm]:
        thread = await begin(self.store)
        found = drawn(self.rollout, thread.conversation, {})
        assert found is not None
        return self.store.threads.assign(thread, found), found.arm

    async def now(self) -> Rollout:
        return await self.store.journal.run(lambda tx: tx.rollouts.get(digest(NEW)))


def event(conversation: str, kind: OutcomeType, number: int, **data: Any) -> OutcomeEvent:
    return OutcomeEvent(
        source="crm", id=f"{kind.value}-{conversation}-{number}", type=kind, occurred_at_ms=CLOCK.now_ms() + number,
        conversation=conversation, data=OutcomeData(**data),
    )  # fmt: skip


def caller_with(rollout: Rollout) -> tuple[Caller, Draws]:
    """A caller of some use case in which this rollout runs."""
    snapshot = world().in_force.current
    assert snapshot is not None
    key = next(iter(snapshot.keys.values()))
    assert key.use_case is not None
    return caller_of(key, snapshot, rules_of(snapshot.ruleset)[key.use_case]), Draws(
        ramp=None, running=Running(rollout=rollout)
    )


class Later:
    """The clock, so many milliseconds later."""

    def __init__(self, by_ms: int = 0) -> None:
        self._by_ms = by_ms

    def now_ms(self) -> int:
        return CLOCK.now_ms() + self._by_ms

    def monotonic(self) -> float:
        return 0.0


async def fill(one: Started, many: int, *, worse: bool = True) -> None:
    """Conversations: every twentieth control complains, and every second canary (not `worse`: as the control)."""
    events = []
    for number in range(many):
        thread, arm = await one.converse()
        bad = number % (2 if worse and arm is Arm.CANARY else 20) == 0
        if bad:
            events.append(event(thread.conversation, OutcomeType.COMPLAINT, number))
        if number % 200 == 199:
            await one.store.journal.run(lambda tx: None)
    await one.store.journal.run(lambda tx: None)
    for at in range(0, len(events), 200):
        await one.store.outcomes.save(events[at : at + 200], key_id="k1", use_case=None)
    await one.store.journal.run(lambda tx: tx.fetch("UPDATE unit SET assigned_at = assigned_at - 60000"))


async def judged(judging: Judging, release: Digest) -> None:
    while await judging._judge(release):
        pass


def someone(name: str, *roles: Role) -> tuple[Person, Token, str]:
    """A person with a personal token, and its text."""
    person = Person(
        id=PersonId(f"pe_{name}"), mail=f"{name}@shop.example", name=name, roles=frozenset(roles), created_at=0
    )  # fmt: skip
    token, text = new_token(TokenKind.PERSONAL, person.id, IDS.token(42), now_ms=0, expires_at=2**52)
    return person, token, text


async def expired(store: Any) -> None:
    """The lease of whoever judges runs out."""
    await store.journal.run(lambda tx: tx.fetch("UPDATE judge SET until = 0"))


async def by_one_that_saw_everything(one: Started) -> Judge:
    """What the units as they are stored say, folded in the order of their numbers."""
    units = await one.store.units.folded(await one.now())
    assert [unit.folded for unit in units] == list(range(1, len(units) + 1)), "each number once"
    judge = Judge(plan_of(RAMP))
    for unit in units:
        judge.fold(
            Unit(canary=unit.arm == "canary", share=unit.share, stage=str(unit.stage), metrics=unit.metrics or {})
        )
    return judge


class Torn:
    """Ids that fail twice when an entry asks for one: with what belongs beside a move, and without."""

    def __init__(self) -> None:
        self.left = 2

    def new(self, kind: str) -> str:
        if self.left:
            self.left -= 1
            raise RuntimeError("torn")
        return IDS.new(kind)

    def token(self, size: int) -> bytes:
        return IDS.token(size)


def canary_of(store: Any, prompt: str, control: Release) -> Any:
    """A command: one more release, drafted, tested, started against `control`."""

    def start(tx: Any) -> Rollout:
        release = a_release(prompt)
        tx.releases.put(digest(release), release, by=BY, at_ms=tx.now_ms)
        desk.draft(tx, IDS, digest(release), ORDERS, BY)
        desk.RecordTests(ids=IDS, release=digest(release), passed=1, failed=0, digest=Digest("d" * 64))(tx)
        before = tx.rollouts.get(digest(release))
        after = lifecycle.started(
            before, RAMP, salt=IDS.token(16), control=digest(control), used=frozenset(), now=tx.now_ms
        )
        tx.rollouts.swap(before, after)
        return after

    return start
