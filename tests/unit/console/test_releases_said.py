"""What the pages of releases say: the same as the ledger, of now, and nothing against the buttons beside it."""

import msgspec
import pytest
from fakes.actions import use_case
from fakes.console import visitor

from handrail.console.views.releases import releases
from handrail.console.views.releases_detail import Read, detail
from handrail.console.views.releases_moves import WHY, sign_boxes
from handrail.console.views.releases_timeline import timeline
from handrail.console.views.releases_words import WHYS, said_of, whole_sentence, why_said
from handrail.console.views.tests import PANELS, listing
from handrail.console.words import Languages, Words
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.commitment import RecordedFacts
from handrail.people.role import Role
from handrail.policy.ramp import Outcome, Ramp, RampMetric, Stage
from handrail.policy.ruleset import PromptMode, Ruleset
from handrail.releases import lifecycle
from handrail.releases.bets import Kind
from handrail.releases.curve import Drawing
from handrail.releases.judge import Conclusion, MetricVerdict, Verdict
from handrail.releases.lifecycle import Rollout, SignOff, State
from handrail.releases.release import Release, Target
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.ids import Digest, EntryId, PersonId, ProviderId, UseCaseId
from handrail.trials.store import Run

NOW_MS = 1_790_000_000_000
LANGUAGES = Languages()
RAMP = Ramp(
    stages=(Stage(share=0.05), Stage(share=0.25)), sign_offs=("owner", "compliance"),
    metrics=(RampMetric(name=Outcome.COMPLAINT, margin=1.25), RampMetric(name=Outcome.HANDLE_TIME, cap=600.0)),
)  # fmt: skip
CANARY = Rollout(
    release=Digest("a" * 64), use_case=UseCaseId("orders"), author="pe_9", created_at=0, state=State.CANARY, ramp=RAMP,
    run=1, stage=0, step=1, stage_at=NOW_MS, control=Digest("b" * 64), version=7,
)  # fmt: skip
SIGNED = msgspec.structs.replace(
    CANARY, state=State.SIGNED_OFF, ramp=None, stage=-1,
    tested=lifecycle.Tested(digest=Digest("c" * 64), passed=2, failed=0, at_ms=1),
    sign_offs=(SignOff(PersonId("pe_2"), "owner", 2),),
)  # fmt: skip


def words(language: str = "en-GB") -> Words:
    return LANGUAGES.words(chosen=language, accepts="", zone="UTC", now_ms=NOW_MS)


def metric(**changes: object) -> MetricVerdict:
    one = MetricVerdict(
        log_e=1.0, weight=1.0, named=False, kind=Kind.BINARY, canary_units=400, canary_mean=0.04, control_units=3_600,
        control_mean=0.05, interval=(0.5, 1.1),
    )  # fmt: skip
    return msgspec.structs.replace(one, **changes)


def told(verdict: Verdict, **changes: object) -> Conclusion:
    one = Conclusion(
        verdict=verdict, decided_at=None, units=4_000, log_e=0.0, alpha=0.01, metrics={"complaint": metric()},
        leading="complaint", share_wrong_at=None,
    )  # fmt: skip
    return msgspec.structs.replace(one, **changes)


def read(rollout: Rollout, conclusion: Conclusion | None) -> Read:
    release = Release(
        use_case=UseCaseId("orders"),
        alias="orders",
        route=(Target(provider=ProviderId("p"), model="m"),),
        prompt="Hi.",
        prompt_mode=PromptMode.MANAGED,
    )
    drawing = None if conclusion is None else Drawing(
        units=conclusion.units, points=(), steps=(), harmed=(), told=conclusion, words={"complaint": Verdict.SAFE},
    )  # fmt: skip
    return Read(
        digest=rollout.release, release=release, first_author=Actor(ActorKind.PERSON, "pe_9"), snapshot=None,
        rollout=rollout, against=None, against_digest="", drawing=drawing, counts=(), examples=(), runs=(), entries=(),
        names={"pe_2": "Olu Owner"}, barred="",
    )  # fmt: skip


def test_what_is_better_is_said_of_the_metric_that_is() -> None:
    better = told(
        Verdict.BETTER,
        metrics={"complaint": metric(log_e=2.0, canary_mean=0.06), "transfer": metric(log_e=-3.0, canary_mean=0.02)},
    )
    said = whole_sentence(CANARY, better, words("de"), "conversation")
    assert "Übergaben" in said
    assert "Beschwerden" not in said


@pytest.mark.promise("CON-REL-20")
@pytest.mark.parametrize("state", [State.CANARY, State.LIVE, State.RETIRED])
def test_a_ramp_that_decides_by_itself_gives_no_advice_against_what_stands_beside_it(state: State) -> None:
    rollout = msgspec.structs.replace(CANARY, state=state)
    view = detail(read(rollout, told(Verdict.CANNOT_TELL)), visitor(Role.OWNER), words())
    said = f"{view.say} {view.say_small} {view.evidence}"
    assert "Cannot tell yet" in said
    assert "do not ship" not in said
    assert "ask its owner" not in said


@pytest.mark.promise("CON-REL-20")
def test_a_screen_reader_hears_what_changed_and_not_every_number() -> None:
    """The page of a canary renews itself each five seconds, and its sentence counts conversations."""
    first, next_ = (
        detail(read(CANARY, told(Verdict.CANNOT_TELL, units=units)), visitor(Role.OWNER), words())
        for units in (4_000, 4_001)
    )
    assert first.say != next_.say
    assert first.announce == next_.announce
    safe = detail(read(CANARY, told(Verdict.SAFE)), visitor(Role.OWNER), words())
    assert safe.announce != first.announce
    assert "Safe" in safe.announce


def test_a_release_that_was_rolled_back_says_how_many_it_hurt_and_how_many_would_have_been_usual() -> None:
    back = msgspec.structs.replace(CANARY, state=State.ROLLED_BACK, ended_at=NOW_MS)
    worse = told(
        Verdict.WORSE, decided_at=271, units=271, metrics={
            "complaint": metric(named=True, canary_mean=0.247, canary_units=81, control_mean=0.068, control_units=190),
        },
    )  # fmt: skip
    hurt = detail(read(back, worse), visitor(Role.OWNER), words()).hurt
    assert "Complaints: 20 of 81 conversations that were judged; without it about 6 would have been." in hurt
    assert detail(read(CANARY, worse), visitor(Role.OWNER), words()).hurt == ""


def test_the_sentence_of_another_language_says_what_the_english_one_says() -> None:
    worse = told(
        Verdict.WORSE, decided_at=194, units=194, metrics={
            "complaint": metric(named=True, canary_mean=0.254, canary_units=63, control_mean=0.053, control_units=131),
            "handle_time": metric(kind=Kind.SCORE, canary_mean=0.5, control_mean=0.25, named=True, log_e=0.5),
        },
    )  # fmt: skip
    english = whole_sentence(CANARY, worse, words(), "conversation")
    german = whole_sentence(CANARY, worse, words("de"), "conversation")
    for number in ("63", "131", "194", "100"):
        assert number in english
        assert number in german, f"{number} is not in: {german}"
    assert "25,4" in german
    assert "300" in german, "seconds, and not a share of the cap"
    assert "zurückgenommen" in german
    for verdict in Verdict:
        said = whole_sentence(CANARY, told(verdict), words("de"), "conversation")
        assert "4.000" in said
        assert "Cannot" not in said


def test_what_is_called_safe_is_not_said_to_be_above_its_limit() -> None:
    declared = RAMP.metrics[0]
    said = said_of(Verdict.SAFE, metric(interval=(0.6, 1.4)), declared, 50, 0.0, words())
    assert "1.4" not in said
    assert said == "Shown to be less than 1.25 times as often as before."
    assert said_of(Verdict.SAFE, metric(), declared, 50, 0.0, words()) == (
        "At most 1.1 times as often as before; 1.25 times is agreed."
    )


@pytest.mark.promise("CON-REL-2")
def test_a_role_that_is_asked_for_since_it_was_signed_off_can_still_sign() -> None:
    """The command takes it; a page that says "was not asked for" would leave the release where it is for ever."""
    owner, compliance = sign_boxes(SIGNED, RAMP, visitor(Role.COMPLIANCE), "pe_9", {"pe_2": "Olu Owner"}, words())
    assert owner.by == "Olu Owner"
    assert compliance.mine
    waits = sign_boxes(SIGNED, RAMP, visitor(Role.STAFF), "pe_9", {}, words())[1]
    assert waits.said.startswith("Waits for somebody with this role")


def test_the_list_says_who_has_not_agreed_and_not_that_everybody_did() -> None:
    case = in_force()
    view = releases([SIGNED], case, {}, {}, words(), cut="draft")
    assert view.rows[0].said == "Tests are green; it waits for the sign-off of: Compliance."
    both = msgspec.structs.replace(SIGNED, sign_offs=(*SIGNED.sign_offs, SignOff(PersonId("pe_3"), "compliance", 3)))
    assert releases([both], case, {}, {}, words(), cut="draft").rows[0].said == "Everybody agreed; it can be started."


def in_force() -> Snapshot:
    case = msgspec.structs.replace(use_case(), id=UseCaseId("orders"), ramp=RAMP)
    ruleset = Ruleset(
        organisation="O", time_zone="UTC", currency="EUR", providers={}, use_cases={UseCaseId("orders"): case}
    )
    return Snapshot(epoch=1, ruleset_digest=Digest("d"), ruleset=ruleset, live={}, keys={})


@pytest.mark.promise("WRD-1")
def test_roles_are_named_in_the_readers_language() -> None:
    view = detail(read(SIGNED, None), visitor(Role.AUDITOR), words("de"))
    assert "(owner)" not in view.by
    why = [move.why_not for move in view.moves]
    assert why
    assert all("owner" not in one and "engineer" not in one for one in why)


def test_a_dialog_says_whom_the_next_step_reaches() -> None:
    assert detail(read(CANARY, told(Verdict.SAFE)), visitor(Role.OWNER), words()).next == (
        "From 5% to 25% of new conversations."
    )
    last = msgspec.structs.replace(CANARY, stage=1)
    assert detail(read(last, told(Verdict.SAFE)), visitor(Role.OWNER), words()).next == ""
    assert "Nothing is counted yet" in detail(read(CANARY, None), visitor(Role.OWNER), words()).evidence


def test_why_it_stands_still_is_said_in_the_readers_language_and_the_ledgers_own_words_stay() -> None:
    held = msgspec.structs.replace(CANARY, frozen="frozen by a person")
    assert "von einem Menschen angehalten" in detail(read(held, None), visitor(Role.OWNER), words("de")).say
    drawn = "the draw did not give canaries as often as it says (seen at unit 1204)"
    assert "1.204" in why_said(drawn, words("de"))
    assert why_said("something new", words("de")) == "something new"
    for why in (*WHYS, *WHY.values()):
        assert why_said(why, words("de")) != why, f"{why} has no German"


def test_an_upper_limit_that_says_nothing_is_not_given_as_a_number() -> None:
    wide = metric(interval=(2.5, 7_252.0))
    assert "7" not in said_of(Verdict.CANNOT_TELL, wide, RAMP.metrics[0], 50, 0.0, words())
    assert said_of(Verdict.BETTER, metric(interval=(0.4, 1.02)), RAMP.metrics[0], 50, 0.0, words()) == (
        "Shown to be less often than before."
    )


@pytest.mark.promise("GOV-21")
def test_a_list_of_tests_does_not_call_green_what_never_ran() -> None:
    one = Run(
        id="tr_1", release=Digest("a" * 64), use_case=UseCaseId("orders"), at_ms=NOW_MS, passed=1, failed=0,
        digest=Digest("d"), cases_digest=Digest("e"),
    )  # fmt: skip
    snapshot = in_force()
    more = msgspec.structs.replace(snapshot.ruleset.use_cases[UseCaseId("orders")], id=UseCaseId("else"), name="Else")
    ruleset = msgspec.structs.replace(
        snapshot.ruleset, use_cases={**snapshot.ruleset.use_cases, UseCaseId("else"): more}
    )
    view = listing([one], [], msgspec.structs.replace(snapshot, ruleset=ruleset), words())
    assert view.said.endswith("1 use case was never tested.")
    assert "each use case" not in view.said


def test_tests_of_many_use_cases_come_in_pages_with_the_failed_ones_first() -> None:
    one = Run(
        id="tr_1", release=Digest("a" * 64), use_case=UseCaseId("u49"), at_ms=NOW_MS, passed=1, failed=1,
        digest=Digest("d"), cases_digest=Digest("e"),
    )  # fmt: skip
    snapshot = in_force()
    many = {
        UseCaseId(f"u{at}"): msgspec.structs.replace(
            snapshot.ruleset.use_cases[UseCaseId("orders")], id=UseCaseId(f"u{at}"), name=f"Use case {at}"
        )
        for at in range(10, 50)
    }
    here = msgspec.structs.replace(snapshot, ruleset=msgspec.structs.replace(snapshot.ruleset, use_cases=many))
    pages = [listing([one], [], here, words(), page=at) for at in (1, 2, 3)]
    assert pages[0].cases[0].id == "u49"
    assert sorted(case.id for page in pages for case in page.cases) == sorted(many)
    assert [len(page.cases) for page in pages] == [PANELS, PANELS, 0]
    assert (pages[0].earlier, pages[0].later, pages[0].paged) == ("", "/tests?page=2", "1 to 20 of 40")
    assert (pages[1].earlier, pages[1].later) == ("/tests?page=1", "")
    assert "u49" in pages[0].said or "Use case 49" in pages[0].said


def test_a_draft_of_the_machines_operator_is_not_written_by_a_word_of_ours() -> None:
    by_operator = msgspec.structs.replace(SIGNED, author="operator")
    row = releases([by_operator], in_force(), {}, {}, words("de"), cut="draft").rows[0]
    assert "operator" not in row.by
    assert "Maschine" in row.by
    assert "Ann" in releases([SIGNED], in_force(), {}, {"pe_9": "Ann"}, words(), cut="draft").rows[0].by


def test_a_sentence_of_the_ledger_is_marked_as_english_where_the_page_is_not() -> None:
    def entry(kind: str, **facts: object) -> RecordedFacts:
        return RecordedFacts(
            v=1, salt=b"0" * 16, id=EntryId("e"), kind=kind, at_ms=NOW_MS, actor=Actor(ActorKind.SYSTEM, "judge"),
            about="a" * 64, use_case=UseCaseId("orders"), facts=msgspec.Raw(msgspec.json.encode(facts)),
        )  # fmt: skip

    rows = [
        entry("release.rolled_back", sentence="Worse: complaint in 9 %.", safety=True),
        entry("release.frozen", why="frozen by a person"),
    ]
    told_by, frozen = timeline([msgspec.json.encode(one) for one in rows], {}, words("de"))[0]
    assert told_by.english
    assert (frozen.said, frozen.english) == ("Von einem Menschen angehalten.", False)
    assert not timeline([msgspec.json.encode(rows[0])], {}, words())[0][0].english
