"""A database that is there and does not let us in: a sentence that says what to mend, and nothing of the address."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fakes.storage import CLOCK, IDS, PostgresServer, kek

from handrail.backends.postgres.open import PostgresStore
from handrail.terms.errors import Code, HandrailError


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda dsn: dsn.replace(urlsplit(dsn).path, "/nowhere", 1), "no such database"),
        (lambda dsn: dsn.replace("postgres:", "nobody-here:s3cret", 1), "refuses the user or the password"),
        (lambda dsn: dsn.replace("postgresql:", "mysql:", 1), "is no address of PostgreSQL"),
    ],
    ids=["database", "user", "scheme"],
)
def test_who_is_not_let_in_is_told_what_to_mend(
    change: Callable[[str], str], says: str, tmp_path: Path, postgres_server: Callable[[], PostgresServer]
) -> None:
    dsn = change(postgres_server().new_database())
    with pytest.raises(HandrailError, match=says) as caught:
        asyncio.run(PostgresStore.open(dsn, kek(), keys_dir=tmp_path / "keys", ids=IDS, clock=CLOCK))
    assert caught.value.code is Code.JOURNAL_UNAVAILABLE
    assert "s3cret" not in caught.value.message
    assert "nobody-here" not in caught.value.message
