"""Numbered SQL files and what was applied of them. The engines run them; this file reads and judges. No ORM."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from handrail.terms.errors import Code, HandrailError


class Migration(msgspec.Struct, frozen=True):
    """One file `NNN_name.sql`. `digest`: SHA-256 of its text, hex. An applied file must never change."""

    number: int
    name: str
    sql: str
    digest: str


def load(folder: Path) -> list[Migration]:
    """Every migration of the folder, by number. Raises ValueError when two share a number."""
    found = []
    for path in sorted(folder.glob("[0-9][0-9][0-9]_*.sql")):
        sql = path.read_text(encoding="utf-8")
        found.append(Migration(int(path.name[:3]), path.stem, sql, hashlib.sha256(sql.encode()).hexdigest()))
    if len({each.number for each in found}) != len(found):
        raise ValueError(f"two migrations in {folder.name} share a number")
    return found


def missing(known: list[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """What is still to be applied. `applied`: number to digest. Raises HandrailError HOME_INVALID when the database was
    written by a newer handrail, or a file changed after it was applied."""
    by_number = {each.number: each for each in known}
    for number, digest in applied.items():
        if number not in by_number:
            raise HandrailError(
                Code.HOME_INVALID,
                f"the database has migration {number}, which this handrail does not know; use the newer handrail",
            )
        if by_number[number].digest != digest:
            raise HandrailError(
                Code.HOME_INVALID,
                f"migration {by_number[number].name} differs from the one the database was made with; "
                "install the released package again",
            )
    return [each for each in known if each.number not in applied]
