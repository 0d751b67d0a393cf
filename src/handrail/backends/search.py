"""From a Query to conditions, and from rows to what is found: what both engines share of reading."""

from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handrail.backends.keyring import Keyring
from handrail.ledger.commitment import read_facts
from handrail.ledger.read import BIT, MAX_LIMIT, Found, Listing, Page, Query, Shown, kinds_of
from handrail.ledger.seal import unseal
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ConversationId, Digest, EntryId, InteractionId, UseCaseId

FOUND = (
    "SELECT i.seq, i.interaction, i.at_ms, i.use_case, i.conversation, i.release, i.verdict, i.outcome, i.language, "
    "i.kinds"
)
SHOWN = (
    "SELECT e.seq, e.id, e.commitment, e.facts, p.subject, p.sealed, s.wrapped, s.wrapped_by, q.idx "
    "FROM entry e LEFT JOIN payload p ON p.seq = e.seq LEFT JOIN subject s ON s.id = p.subject "
    "LEFT JOIN sequenced q ON q.seq = e.seq "
)


class _Conditions:
    """Conditions with their values in the order of their `$n`."""

    def __init__(self, limit: int) -> None:
        """Raises HandrailError REQUEST_INVALID for a bad limit."""
        if not 1 <= limit <= MAX_LIMIT:
            raise HandrailError(Code.REQUEST_INVALID, f"limit is {limit}; give 1 to {MAX_LIMIT}")
        self._sql: list[str] = []
        self.values: list[Any] = []

    def among(self, column: str, values: Sequence[Any]) -> None:
        """The column is one of them; at least one."""
        self._sql.append(f"{column} IN ({self._places(values)})")

    def where(self) -> str:
        return " AND ".join(self._sql) or "true"

    def _add(self, condition: str, value: Any) -> None:
        if value is not None:
            self._sql.append(condition.format(self._places([value])))

    def _places(self, values: Sequence[Any]) -> str:
        first = len(self.values) + 1
        self.values.extend(values)
        return ", ".join(f"${at}" for at in range(first, first + len(values)))


class Listed(_Conditions):
    """On `entry`."""

    def __init__(self, listing: Listing) -> None:
        """Raises HandrailError REQUEST_INVALID for a bad limit."""
        super().__init__(listing.limit)
        self._add("at_ms >= {}", listing.since_ms)
        self._add("at_ms < {}", listing.until_ms)
        if listing.kinds:
            self.among("kind", [kind.value for kind in listing.kinds])


class Search(_Conditions):
    """The conditions of one search on `interaction i` (and `payload p` where a subject is asked for)."""

    def __init__(self, query: Query) -> None:
        """Raises HandrailError REQUEST_INVALID for a bad limit or cursor."""
        super().__init__(query.limit)
        self._add("i.at_ms >= {}", query.since_ms)
        self._add("i.at_ms < {}", query.until_ms)
        self._add("i.use_case = {}", query.use_case)
        self._add("i.release = {}", None if query.release is None else bytes.fromhex(query.release))
        self._add("i.kinds & {} <> 0", None if query.finding is None else BIT[query.finding])
        self._add("i.verdict = {}", None if query.verdict is None else query.verdict.value)
        self._add("i.outcome = {}", None if query.outcome is None else query.outcome.value)
        self._add("i.seq < {}", None if query.cursor is None else _cursor(query.cursor))

    def customer(self, subject: str, linked: Sequence[str]) -> None:
        """Sealed under the subject, or in a conversation it logged in to later."""
        mine = f"p.subject = {self._places([subject])}"
        self._sql.append(f"({mine} OR i.conversation IN ({self._places(linked)}))" if linked else mine)


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
