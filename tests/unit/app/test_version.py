"""The version the code names is the one that was installed."""

from importlib.metadata import version

from handrail import VERSION


def test_the_version_in_the_code_is_that_of_the_package() -> None:
    assert version("handrail") == VERSION
