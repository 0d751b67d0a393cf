"""Which strings are left unread, and why no value can hide in one."""

import pytest

from handrail.gateway.leaves import arguments, identifier, opaque, walk
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
        "",
    ],
)
def test_what_could_carry_a_value_is_no_identifier(value: str) -> None:
    assert not identifier(value)


def test_a_card_is_not_opaque_and_a_picture_is() -> None:
    assert not opaque("4111111111111111")
    assert opaque("data:image/png;base64," + "iVBORw0K" * 20)
    assert not opaque("https://pictures.example/" + "a" * 80)


def texts(value: object, channel: Channel) -> list[str]:
    out: list[Leaf] = []
    walk(value, (), channel, out)
    return [leaf.text for leaf in out]


def test_known_slots_are_safe_in_the_protocol_and_not_in_a_clients_own_fields() -> None:
    value = {"type": "text", "id": "AKIAIOSFODNN", "text": "hello"}
    assert texts(value, Channel.USER) == ["hello"]
    assert texts(value, Channel.OTHER) == ["text", "AKIAIOSFODNN", "hello"]


def test_names_of_fields_and_long_numbers_are_read() -> None:
    assert texts({"my card 4111": {"n": 4111111111111111, "small": 12}}, Channel.OTHER) == [
        "4111111111111111",
        "my card 4111",
    ]


def test_arguments_are_read_inside_and_whole_when_they_are_no_json() -> None:
    out: list[Leaf] = []
    arguments('{"a":{"b":["x"]}}', ("p",), "tool", out)
    arguments("not json", ("q",), "tool", out)
    assert [(leaf.text, leaf.path, leaf.inner) for leaf in out] == [
        ("x", ("p",), ("a", "b", 0)),
        ("not json", ("q",), None),
    ]
