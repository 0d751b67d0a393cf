"""Which strings are left unread, and why no value can hide in one."""

import orjson
import pytest

from handrail.gateway.leaves import NAMES, arguments, fields, identifier, opaque, walk, within
from handrail.guard.turn import Channel, Leaf


@pytest.mark.parametrize("value", ["call_abc123", "chat.completion", "gpt-4o-mini", "fp_44709d6fcb", "claude-x"])
def test_words_of_the_protocol_and_ids_are_identifiers(value: str) -> None:
    assert identifier(value)


@pytest.mark.parametrize(
    "value",
    [
        "4111111111111111",
        "a4111-1111-1111-1111",
        "x4111.1111.1111.1111",
        "jane doe",
        "jane@example.com",
        "a" * 81,
        "tel_020_7946_0958",
        "sk-proj-abcdefghijklmnopqrstuvwx",
        "AKIAIOSFODNN7EXAMPLE",
        "",
    ],
)
def test_what_could_carry_a_value_is_no_identifier(value: str) -> None:
    assert not identifier(value)


def test_a_card_is_not_opaque_and_a_picture_is() -> None:
    assert not opaque("4111111111111111")
    assert opaque("data:image/png;base64," + "iVBORw0K" * 20)
    assert not opaque("https://pictures.example/" + "a" * 80)
    assert not opaque("4111-1111-1111-1111_" + "abcd" * 20), "digits between the signs of the alphabet"
    assert not opaque("a" * 65), "no whole number of bytes"


def texts(value: object, channel: Channel) -> list[str]:
    out: list[Leaf] = []
    walk(value, (), channel, out)
    return [leaf.text for leaf in out]


def test_known_slots_are_safe_in_the_protocol_and_not_in_a_clients_own_fields() -> None:
    value = {"type": "text", "id": "abcdefgh", "text": "hello"}
    assert texts(value, Channel.USER) == ["hello"]
    assert texts(value, Channel.OTHER) == ["text", "abcdefgh", "hello"]


def test_names_of_fields_are_read_whatever_stands_in_them() -> None:
    for value in ("", "text", None, 5, [], {}):
        assert texts({"my card 4111": value}, Channel.USER)[0] == "my card 4111"
        out: list[Leaf] = []
        fields({"my card 4111": value}, ("messages", 0), Channel.USER, out)
        assert (out[0].text, out[0].key) == ("my card 4111", True)


def test_every_number_that_could_be_a_code_is_read_where_clients_name_the_fields() -> None:
    value = {"cvv": 737, "max_tokens": 500, "price": 1.5, "card": 4111111111111111.0, "on": True}
    assert texts(value, Channel.OTHER) == ["737", "4111111111111111"]
    assert texts(value, Channel.TOOL_ARGUMENTS) == ["737", "500", "4111111111111111"]
    assert texts(value, Channel.ASSISTANT) == ["4111111111111111"]
    assert texts({"seed": 4111111111111111, "created": 1_760_000_000}, Channel.ASSISTANT) == ["4111111111111111"]


def test_arguments_are_read_inside_and_whole_when_they_are_no_json() -> None:
    out: list[Leaf] = []
    arguments('{"a":{"b":["x"]}}', ("p",), "tool", out)
    arguments("not json", ("q",), "tool", out)
    assert [(leaf.text, leaf.path, leaf.inner) for leaf in out] == [
        ("x", ("p",), ("a", "b", 0)),
        ("not json", ("q",), None),
    ]


def test_a_value_that_a_second_field_of_the_same_name_hides_is_read_with_its_name() -> None:
    for text in (
        '{"cvv":"737","cvv":""}',
        '{"a":[{"cvv":737,"cvv":{}}]}',
        '{"c\\u0076v":"737","x\\u0022":1,"cvv":"x"}',
    ):
        out: list[Leaf] = []
        arguments(text, ("p",), "tool", out)
        assert [leaf.text for leaf in out if leaf.key and "737" in leaf.text] == ["cvv: 737"]


def test_escapes_hide_nothing_in_arguments_that_are_no_object() -> None:
    out: list[Leaf] = []
    arguments('"\\u00341"', ("p",), "tool", out)
    arguments('{"cut":"\\u00341', ("q",), "tool", out)
    arguments('{"half":"\\ud83d', ("r",), "tool", out)
    assert [(leaf.text, leaf.inner, leaf.key) for leaf in out] == [
        ("41", (), False),
        ('{"cut":"\\u00341', None, False),
        ('{"cut":"41', None, True),
        ('{"half":"\\ud83d', None, False),
    ]
    assert within('"\\u00341"', {(): b'"[CARD]"'}) == '"[CARD]"'


def test_a_change_inside_arguments_leaves_every_other_character() -> None:
    text = '{"account":123456789012345678901234,"note":"a\\u0041","rate":1.10,"list":[{"card":"4111"},1e5]}'
    new = within(text, {("list", 0, "card"): orjson.dumps("[CARD]")})
    assert new == text.replace('"4111"', '"[CARD]"')


def test_a_number_of_the_protocol_is_left_out_while_it_is_small() -> None:
    found: list[Leaf] = []
    fields({"seed": 7, "max_tokens": 9_999_999, "n": -3}, (), Channel.OTHER, found)
    assert found == []
    fields({"seed": 4111111111111111, "n": -41111111}, (), Channel.OTHER, found)
    assert [(leaf.path, leaf.text) for leaf in found] == [(("seed",), "4111111111111111"), (("n",), "-41111111")]


def test_names_that_are_not_asked_about_are_plain_words_all() -> None:
    assert [name for name in NAMES if not identifier(name)] == []


@pytest.mark.parametrize("channel", list(Channel))
def test_what_says_nothing_is_nowhere_a_text_and_what_could_be_a_code_is_one_wherever_it_stands(
    channel: Channel,
) -> None:
    empty = {"a": None, "b": True, "c": False, "d": "", "e": {}, "f": [], "g": [None, True, "", {}, []]}
    assert texts(empty, channel) == []
    card = 4111111111111111
    assert (
        texts([card, [card], {"a": card, "index": card, "seed": card, "b": [card, {"c": card}]}], channel)
        == [str(card)] * 7
    )
    out: list[Leaf] = []
    fields({"a": card, "index": card, "seed": card, "b": [card], "c": {"d": card}}, ("x",), channel, out)
    assert [(leaf.text, leaf.path) for leaf in out] == [
        (str(card), ("x", *path)) for path in (("a",), ("index",), ("seed",), ("b", 0), ("c", "d"))
    ]
