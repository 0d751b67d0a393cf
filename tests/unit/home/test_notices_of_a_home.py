"""`notices:` of a home: the example of the starter works when it is switched on, becomes values, and a hand-over that
nobody hears of is pointed out."""

from importlib.resources import files

import pytest
from fakes.home import CHAT, HANDRAIL, home
from fakes.shop_home import shop_home

from handrail.home.check import check, look
from handrail.home.compile import compile_home
from handrail.home.notes import notes
from handrail.policy.notices import WORK, Detail, Event, Notices, ReceiverKind, wants


def starter() -> str:
    """The example, without its comment marks."""
    lines = (files("handrail.home") / "starter" / "handrail.yaml").read_text().splitlines()
    begin = next(at for at, line in enumerate(lines) if line.startswith("# notices:"))
    end = next(at for at, line in enumerate(lines) if at > begin and not line.startswith("#"))
    return "\n".join(line[2:] for line in lines[begin:end]) + "\n"


@pytest.mark.promise("NOT-5")
def test_the_example_of_the_starter_home_is_good_as_it_stands() -> None:
    text = home({"handrail.yaml": HANDRAIL + starter(), "use-cases/chat.yaml": CHAT + "tell_ended: [case-desk]\n"})
    assert check(text) == []
    made = compile_home(text).ruleset.notices
    assert {name: one.kind for name, one in made.receivers.items()} == {
        "leads-chat": ReceiverKind.CHAT, "on-duty": ReceiverKind.EMAIL, "case-desk": ReceiverKind.WEBHOOK,
        "phones": ReceiverKind.APPRISE,
    }  # fmt: skip
    assert made.receivers["leads-chat"].events == WORK
    assert made.receivers["leads-chat"].detail is Detail.BAND
    assert made.receivers["on-duty"].events == (Event.HANDOVER, Event.UNKNOWN, Event.STOP_SET)
    assert made.receivers["on-duty"].language == "de"
    assert made.ended == {"chat": ("case-desk",)}
    assert (made.expiring_s, made.give_up_after_s) == (600, 86_400)


def test_a_home_without_notices_tells_nobody() -> None:
    assert compile_home(home()).ruleset.notices == Notices()


def test_an_empty_list_of_events_is_a_receiver_for_ended_actions_only() -> None:
    written = "notices: {receivers: {agent: {kind: chat, url: 'https://chat.shop.example/h', events: []}}}\n"
    receiver = compile_home(home({"handrail.yaml": HANDRAIL + written})).ruleset.notices.receivers["agent"]
    assert not any(wants(receiver, event, use_case="chat", route="leads") for event in Event)


def test_a_case_that_is_handed_to_nobody_is_pointed_out() -> None:
    rules = "rules/shop.yaml"
    text = shop_home()
    changed = text.texts[rules]
    assert "otherwise: handover" in changed
    top = text.texts["handrail.yaml"]
    told = "notices: {receivers: {desk: {kind: chat, url: 'https://chat.shop.example/h', events: [%s]}}}\n"

    def codes(top: str) -> set[str]:
        found = look(shop_home({rules: changed, "handrail.yaml": top}))
        assert found.mistakes == ()
        return {note.code for note in notes(found)}

    assert "route.unheard" in codes(top)
    assert "route.unheard" in codes(top + told % "stop.set")
    assert "route.unheard" not in codes(top + told % "action.handover")
