"""A use case's ramp from its file to the ruleset, and what publishing does with it."""

import pytest
from fakes.home import CHAT, HANDRAIL, home
from fakes.register import MemoryRegister
from fakes.storage import IDS

from handrail.home.compile import compile_home
from handrail.home.problem import HomeInvalid
from handrail.home.publish import Publish, Published
from handrail.policy.ramp import METRICS, Advance, Bets, Form, HeldOut, Outcome, Ramp
from handrail.policy.ruleset import digest
from handrail.releases.lifecycle import State
from handrail.terms.errors import HandrailError
from handrail.terms.ids import UseCaseId

UC = "use-cases/chat.yaml"
NAME = UseCaseId("chat")
RAMP = "ramp:\n  stages: [{share: 0.05, least_units: 500}, {share: 0.5}]\n"


def ramp_of(text: str) -> Ramp:
    found = compile_home(home({UC: CHAT + text})).ruleset.use_cases
    (case,) = found.values()
    assert case.ramp is not None
    return case.ramp


def test_what_is_not_written_has_our_defaults() -> None:
    ramp = ramp_of(RAMP)
    assert [stage.share for stage in ramp.stages] == [0.05, 0.5]
    assert (ramp.alpha, ramp.metrics, ramp.promote, ramp.hold_out) == (0.01, METRICS, False, 0.0)
    assert ramp.advance is Advance.SAFE


def test_a_last_stage_of_everybody_means_that_it_goes_live_once_it_is_safe() -> None:
    ramp = ramp_of("ramp:\n  stages: [{share: 0.05}, {share: 1}]\n")
    assert ([stage.share for stage in ramp.stages], ramp.promote) == ([0.05], True)


def test_the_size_of_change_that_is_looked_for_is_taken_as_written() -> None:
    assert ramp_of(RAMP).bets is Bets.ANY
    assert ramp_of(RAMP + "  bets: large\n").bets is Bets.LARGE
    assert ramp_of(RAMP + "  keep_units_days: 60\n").keep_units_days == 60


def test_metrics_and_the_hold_out_are_taken_as_written() -> None:
    ramp = ramp_of(
        RAMP
        + "  metrics: {complaint: {weight: 2, reference: 0.02}, legal: {guards: true}}\n  hold_out: {share: 0.02}\n"
    )
    complaint, legal = ramp.metrics
    assert (complaint.name, complaint.weight, complaint.reference, complaint.margin) == (
        Outcome.COMPLAINT, 2.0, 0.02, 1.25,
    )  # fmt: skip
    assert legal.margin is None
    assert (ramp.hold_out, ramp.hold_out_by) == (0.02, HeldOut.HANDOVER)
    assert ramp.hold_out_sentences["*"]


@pytest.mark.promise("ROL-18")
def test_what_of_a_handle_time_is_compared_is_taken_as_written() -> None:
    (metric,) = ramp_of(RAMP + "  metrics: {handle_time: {as: percentile, cap: 600}}\n").metrics
    assert (metric.form, metric.cap, metric.past) == (Form.PERCENTILE, 600.0, None)
    assert ramp_of(RAMP + "  metrics: {handle_time: {}}\n").metrics[0].form is Form.MEAN
    for wrong, code in (
        ("complaint: {as: percentile}", "ramp.as"),
        ("handle_time: {as: percentile, reference: 0.4}", "ramp.reference"),
        ("handle_time: {past: {units: 1, table: [1]}}", "field.unknown"),
    ):
        with pytest.raises(HomeInvalid) as caught:
            ramp_of(RAMP + f"  metrics: {{{wrong}}}\n")
        assert [one.code for one in caught.value.mistakes] == [code]


def published(register: MemoryRegister, text: str) -> Published:
    return register.do(Publish(ids=IDS, compiled=compile_home(home({UC: text}))))


@pytest.mark.promise("ROL-7")
def test_publishing_a_change_makes_a_draft_where_there_is_a_ramp_and_goes_live_at_once_where_there_is_none() -> None:
    warmer = "  parameters: {temperature: 0.3}\n"
    for text, drafts in ((CHAT + RAMP, True), (CHAT, False)):
        register = MemoryRegister()
        first = published(register, text)
        (name,) = first.went_live
        live = register.state.releases.live()[name]
        changed = text.replace("  route: [openai/gpt-4.1]\n", "  route: [openai/gpt-4.1]\n" + warmer)
        second = published(register, changed)
        release = digest(compile_home(home({UC: changed})).releases[name])
        assert second.drafted == ({name: release} if drafts else {})
        assert register.state.releases.live()[name] == (live if drafts else release)
        if drafts:
            assert register.state.rollouts.get(release).state is State.DRAFT
        kinds = [entry.kind.value for entry in register.entries]
        assert kinds.count("release.drafted") == drafts
        assert not published(register, changed).changed


@pytest.mark.promise("ROL-7")
def test_a_provider_is_not_taken_from_under_a_release_that_goes_on_answering() -> None:
    register = MemoryRegister()
    published(register, CHAT + RAMP)
    moved = HANDRAIL.replace("  openai:", "  other:").replace("openai/gpt", "other/gpt")
    assert moved != HANDRAIL
    elsewhere = {"handrail.yaml": moved, UC: (CHAT + RAMP).replace("openai/", "other/")}
    with pytest.raises(HandrailError, match="keep that provider"):
        register.do(Publish(ids=IDS, compiled=compile_home(home(elsewhere))))
    at_once = {"handrail.yaml": moved, UC: CHAT.replace("openai/", "other/")}
    assert register.do(Publish(ids=IDS, compiled=compile_home(home(at_once)))).went_live
