"""Fingerprints of answers, and what counts as another answer."""

from hypothesis import given
from hypothesis import strategies as st

from handrail.trials.fingerprint import KEPT, fingerprint, similarity
from handrail.trials.golden import Golden, looked

LONG = " ".join(f"word{number}" for number in range(1_000))
A, B = fingerprint(["Your order arrives on Thursday."]), fingerprint(["Nothing can be done here, sorry."])


@given(st.text(max_size=300), st.text(max_size=300))
def test_alike_is_symmetric_within_bounds_and_one_for_the_same(one: str, other: str) -> None:
    first, second = fingerprint([one]), fingerprint([other])
    assert similarity(first, first) == 1.0
    assert similarity(first, second) == similarity(second, first)
    assert 0.0 <= similarity(first, second) <= 1.0


def test_case_spaces_forms_and_punctuation_do_not_count_and_figures_do() -> None:
    assert fingerprint(["  YOUR order,  arrives!"]) == fingerprint(["Your ｏｒｄｅｒ arrives"])
    assert fingerprint(["It costs 40 EUR"]).digest != fingerprint(["It costs 41 EUR"]).digest


def test_the_share_of_a_long_text_that_stayed_is_estimated_within_a_tenth() -> None:
    words = LONG.split()
    half = " ".join([*words[:500], *[f"other{number}" for number in range(500)]])
    alike = similarity(fingerprint([LONG]), fingerprint([half]))
    assert len(fingerprint([LONG]).sketch) == KEPT
    assert abs(alike - 498 / 1498) < 0.1  # runs of three words in both, of all


def test_no_text_can_be_read_from_a_fingerprint() -> None:
    assert "order" not in repr(A)


def test_an_answer_that_is_unlike_once_is_chance_and_twice_a_change_told_once() -> None:
    kept, change = looked(None, A, 0.5, now_ms=1)
    assert change is None
    kept, change = looked(kept, B, 0.5, now_ms=2)
    assert (change, kept.unlike) == (None, 1)
    again, change = looked(kept, A, 0.5, now_ms=3)
    assert (change, again.unlike) == (None, 0)  # it was chance
    kept, change = looked(kept, B, 0.5, now_ms=3)
    assert change is not None
    assert change.similarity == 0.0
    assert kept == Golden(first=B, at_ms=3)
    kept, change = looked(kept, B, 0.5, now_ms=4)
    assert change is None


def test_another_model_or_version_of_the_provider_counts_at_once() -> None:
    old, new = fingerprint(["Yes."], "gpt-4.1 fp_1"), fingerprint(["Yes."], "gpt-4.1 fp_2")
    kept, _ = looked(None, old, 0.5, now_ms=1)
    kept, change = looked(kept, new, 0.5, now_ms=2)
    assert change is not None
    assert "another model or version" in change.why
    assert looked(kept, fingerprint(["Yes."]), 0.5, now_ms=3)[1] is None  # one that says nothing of itself


def test_what_a_head_never_said_counts_at_once_and_once_though_two_regions_alternate() -> None:
    west, north, silent = (fingerprint(["Yes."], "gpt-4.1", served) for served in ("region=w", "region=n", ""))
    kept, change = looked(None, west, 0.5, now_ms=1)
    assert change is None
    kept, change = looked(kept, north, 0.5, now_ms=2)
    assert change is not None
    assert "never said before" in change.why
    for again in (west, north, silent, north, west):
        kept, change = looked(kept, again, 0.5, now_ms=3)
        assert change is None
    for number in range(100):  # bounded, and then silent
        kept, change = looked(kept, fingerprint(["Yes."], "gpt-4.1", f"region={number}"), 0.5, now_ms=4)
    assert change is None
    assert len(kept.heads) == 32


def test_a_head_that_speaks_for_the_first_time_is_no_change() -> None:
    kept, _ = looked(None, fingerprint(["Yes."]), 0.5, now_ms=1)
    kept, change = looked(kept, fingerprint(["Yes."], "", "region=w"), 0.5, now_ms=2)
    assert (change, kept.heads) == (None, ("region=w",))
