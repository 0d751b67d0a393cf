"""Overlapping values are settled as the plain rule says, however many there are."""

from hypothesis import given
from hypothesis import strategies as st

from handrail.detectors.run import settle
from handrail.terms.finding import Finding, Kind

VALUES = frozenset({Kind.CARD, Kind.PHONE})
FINDINGS = st.builds(
    lambda kind, start, length, score: Finding(kind, start, start + length, score, "r"),
    st.sampled_from([Kind.CARD, Kind.PHONE, Kind.HEALTH, Kind.LINK]),
    st.integers(0, 20),
    st.integers(1, 6),
    st.sampled_from([0.5, 0.9]),
)


def plainly(findings: list[Finding]) -> set[Finding]:
    """The surer, then the longer, then the earlier value stays; what is no value always does."""
    kept: list[Finding] = []
    for one in sorted(findings, key=lambda each: (-each.score, each.start - each.end, each.start)):
        clash = any(other.start < one.end and one.start < other.end for other in kept if other.kind in VALUES)
        if one.kind not in VALUES or not clash:
            kept.append(one)
    return set(kept)


@given(st.lists(FINDINGS, max_size=12))
def test_values_are_settled_as_the_plain_rule_says(findings: list[Finding]) -> None:
    """Where a value that another one displaces would leave nothing that could be read."""
    settled = settle(findings, " " * 26)
    assert set(settled) == plainly(findings)
    assert len(set(settled)) == len(settled)
    assert list(settled) == sorted(settled, key=lambda each: (each.start, each.end))


@given(st.lists(FINDINGS, max_size=12))
def test_no_two_digits_side_by_side_of_a_value_are_left(findings: list[Finding]) -> None:
    settled = settle(findings, "7" * 26)
    values = [one for one in settled if one.kind in VALUES]
    covered = {at for one in values for at in range(one.start, one.end)}
    assert sum(one.end - one.start for one in values) == len(covered), "values overlap"
    for found in findings:
        left = "".join(" " if at in covered else "7" for at in range(found.start, found.end))
        assert found.kind not in VALUES or "77" not in left
