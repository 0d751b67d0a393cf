"""Ways to make a customer's words look like consent to what nobody agreed to."""

import msgspec
import pytest
from fakes.actions import world
from fakes.talks import HELLO, READ, agent, asked, user

from handrail.policy.action import Agreed
from handrail.tools.registry import MoneyAt, Unit

pytestmark = pytest.mark.promise("ACD-7")
WANTED = user("Please refund order A1001, 45.50 euros.")
CALL = {"order_id": "A1001", "amount": 45.5}
OFFER = agent("I can refund 45.50 EUR for order A1001. Shall I go ahead?")
GIVEN = frozenset({Agreed.ASKED, Agreed.CONFIRMED})


def test_a_yes_to_something_else_brings_no_refused_request_back() -> None:
    talk = [
        HELLO,
        *READ,
        WANTED,
        OFFER,
        user("No, leave it."),
        agent("Would you like our newsletter?"),
        user("Yes please!"),
    ]
    assert asked(talk, **CALL).agreed not in GIVEN


def test_a_no_to_the_offer_stands_although_the_next_words_say_nothing_of_it() -> None:
    talk = [HELLO, *READ, WANTED, OFFER, user("No."), agent("Anything else?"), user("When do you open tomorrow?")]
    assert asked(talk, **CALL).agreed not in GIVEN


def test_a_yes_to_another_question_confirms_no_offer_that_was_not_answered() -> None:
    talk = [HELLO, *READ, OFFER, user("How long does it take?"), agent("Three days. Are you a member?"), user("Yes.")]
    assert asked(talk, **CALL).agreed not in GIVEN


def test_a_request_may_be_made_again_after_a_no() -> None:
    talk = [
        HELLO,
        *READ,
        WANTED,
        OFFER,
        user("No."),
        agent("All right."),
        user("Sorry, please do refund 45.50 for A1001."),
    ]
    assert asked(talk, **CALL).agreed in GIVEN


def test_a_no_to_another_question_takes_nothing_back_once_the_offer_is_taken() -> None:
    talk = [HELLO, *READ, WANTED, agent("Any other items?"), user("No, thanks."), OFFER, user("Yes.")]
    assert asked(talk, **CALL).agreed is Agreed.CONFIRMED


def test_an_answer_that_says_no_yes_confirms_only_what_it_says() -> None:
    """The customer names the order; the account in the agent's text is nobody's."""
    offer = agent("I can refund 45.50 for order A1001 to DE02120300000000202051.")
    given = asked([HELLO, *READ, offer, user("Order A1001 came broken.")], **CALL, iban="DE02120300000000202051")
    assert given.agreed not in GIVEN


def test_a_yes_that_wants_to_wait_is_no_yes_yet() -> None:
    talk = [HELLO, *READ, OFFER, user("Yes, but hold on until I have checked my account.")]
    assert asked(talk, **CALL).agreed not in GIVEN


@pytest.mark.parametrize(
    "reply", ["That's not ok.", "Absolutely not!", "Are you sure?", "Nicht einverstanden.", "If it is correct"]
)
def test_a_yes_word_that_agrees_to_nothing_is_no_consent(reply: str) -> None:
    assert asked([HELLO, *READ, OFFER, user(reply)], **CALL).agreed not in GIVEN


def test_the_agent_s_words_are_not_the_customer_s() -> None:
    talk = [HELLO, *READ, agent("You told me: yes, refund 45.50 for order A1001. I go ahead.")]
    assert asked(talk, **CALL).agreed not in GIVEN


def test_what_an_order_number_holds_is_no_amount_that_was_named() -> None:
    given = asked(
        [HELLO, *READ, user("Please refund order A1001."), agent("Sure?"), user("Yes.")], order_id="A1001", amount=1001
    )
    assert given.agreed not in GIVEN


@pytest.mark.parametrize("reply", ["That's not ok.", "Absolutely not!", "Nicht einverstanden.", "Bien sûr que non."])
def test_what_was_asked_for_is_declined_by_a_denied_yes(reply: str) -> None:
    assert asked([HELLO, *READ, WANTED, OFFER, user(reply)], **CALL).agreed is Agreed.REFUSED


AMOUNTS = {
    "order 1001 please, 45.50": 45.5, "I want 45,50€ back": 45.5, "refund $45.50 now": 45.5, "45.5eur": 45.5,
    "EUR 1,045.50": 1045.5, "give me back 40.": 40,
}  # fmt: skip
NO_AMOUNTS = {
    "order A1001": 1001, "ticket #1001": 1001, "since 2026-03-12": 12, "at 12:30": 12, "12% off": 12, "the 12th": 12,
    "order 48-213": 213, "size 12x14": 14, "room b12": 12,
}  # fmt: skip


@pytest.mark.parametrize("text", AMOUNTS)
def test_an_amount_is_recognised_as_people_write_it(text: str) -> None:
    given = asked([HELLO, *READ, user(f"Refund A1001: {text}")], order_id="A1001", amount=AMOUNTS[text])
    assert given.agreed is Agreed.ASKED


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_a_number_that_is_something_else_is_no_amount(text: str) -> None:
    given = asked([HELLO, *READ, user(f"Refund A1001: {text}")], order_id="A1001", amount=NO_AMOUNTS[text])
    assert given.agreed is not Agreed.ASKED


def test_an_amount_in_minor_units_is_said_in_major_ones() -> None:
    here = world()
    money = msgspec.structs.replace(
        here.tools["refund"].money or MoneyAt(amount="amount", unit=Unit.MINOR), unit=Unit.MINOR
    )
    tools = {**here.tools, "refund": msgspec.structs.replace(here.tools["refund"], money=money)}
    minor = msgspec.structs.replace(here, tools=tools)
    assert asked([HELLO, *READ, WANTED], here=minor, order_id="A1001", amount=4550).agreed is Agreed.ASKED
    assert asked(
        [HELLO, *READ, user("Refund A1001, 4550 please")], here=minor, order_id="A1001", amount=4550
    ).agreed is not (Agreed.ASKED)
