"""What of a log is served, and how."""

import pytest

from handrail.ledger.paths import cache_control, content_type, is_log_path


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("checkpoint", "text/plain; charset=utf-8", "no-cache"),
        ("witnessed", "text/plain; charset=utf-8", "no-cache"),
        ("tile/0/x001/x234/067", "application/octet-stream", "public, max-age=31536000, immutable"),
        ("tile/entries/000.p/9", "application/octet-stream", "public, max-age=31536000, immutable"),
    ],
)
def test_each_file_of_the_log_is_served_as_the_specification_asks(path: str, kind: str, cache: str) -> None:
    assert is_log_path(path)
    assert (content_type(path), cache_control(path)) == (kind, cache)
