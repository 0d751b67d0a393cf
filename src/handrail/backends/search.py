"""From a Query to conditions, and from rows to what is found: what both engines share of reading."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handrail.backends.keyring import Keyring
from handrail.ledger.commitment import read_facts
from handrail.ledger.read import BIT, MAX_LIMIT, Found, Page, Query, Shown, kinds_of
from handrail.ledger.seal import unseal
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ConversationId, Digest, EntryId, InteractionId, UseCaseId

Lookup = tuple[str, list[str], tuple[Any, ...]]
"""Tables, further conditions, and their values."""


class Conditions(NamedTuple):
    """`sql`: conditions on table `i` with `?` for each of `values`, all to hold."""

    sql: list[str]
    values: tuple[Any, ...]


def conditions(query: Query) -> Conditions:
    """Raises HandrailError REQUEST_INVALID for a bad limit or cursor."""
    if not 1 <= query.limit <= MAX_LIMIT:
        raise HandrailError(Code.REQUEST_INVALID, f"limit is {query.limit}; give 1 to {MAX_LIMIT}")
    sql, values = ["true"], []
    release = None if query.release is None else bytes.fromhex(query.release)
    for condition, value in (
        ("i.at_ms >= ?", query.since_ms),
        ("i.at_ms < ?", query.until_ms),
        ("i.use_case = ?", query.use_case),
        ("i.release = ?", release),
        ("i.kinds & ? <> 0", None if query.finding is None else BIT[query.finding]),
        ("i.verdict = ?", None if query.verdict is None else query.verdict.value),
        ("i.outcome = ?", None if query.outcome is None else query.outcome.value),
        ("i.seq < ?", None if query.cursor is None else _cursor(query.cursor)),
    ):
        if value is not None:
            sql.append(condition)
            values.append(value)
    return Conditions(sql, tuple(values))


def page(rows: Sequence[Sequence[Any]], limit: int) -> Page:
    """`rows`: seq, then the columns of a Projection; one more than `limit` when there is a next page."""
    found = tuple(
        Found(
            interaction=InteractionId(interaction),
            at_ms=at_ms,
            use_case=UseCaseId(use_case),
            conversation=ConversationId(conversation),
            release=None if release is None else Digest(bytes(release).hex()),
            verdict=Verdict(verdict),
            outcome=Outcome(outcome) if outcome else None,
            language=language,
            kinds=kinds_of(kinds),
        )
        for _, interaction, at_ms, use_case, conversation, release, verdict, outcome, language, kinds in rows[:limit]
    )
    return Page(found, str(rows[limit - 1][0]) if len(rows) > limit else None)


def shown(row: Sequence[Any], keys: Keyring) -> Shown:
    """`row`: seq, id, commitment, facts, then of the payload: subject, sealed, wrapped key, who wrapped it; index.
    Raises HandrailError JOURNAL_UNAVAILABLE when a key is missing and `ledger.seal.Unreadable` for a ciphertext that
    was tampered with."""
    _, entry, commitment, facts, subject, sealed, wrapped, wrapped_by, index = row
    payload, missing = None, ""
    if sealed is not None and wrapped is not None:
        key = keys.unwrap(subject, bytes(wrapped), wrapped_by)
        payload = unseal(bytes(sealed), AESGCM(key), entry=entry, key=subject)
    elif subject is not None:
        missing = "erased" if wrapped is None else "expired"
    return Shown(
        entry=EntryId(entry),
        recorded=read_facts(bytes(facts)),
        facts=bytes(facts),
        commitment=bytes(commitment),
        payload=payload,
        missing=missing,
        index=index,
    )


def _cursor(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise HandrailError(Code.REQUEST_INVALID, "this cursor is not one that a search returned")
    return int(cursor)
