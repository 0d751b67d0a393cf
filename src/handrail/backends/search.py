"""From a Query to conditions, and from rows to what is found: what both engines share of reading."""

from collections.abc import Sequence
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handrail.backends.keyring import Keyring
from handrail.backends.rows import ERASED_ALONE
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.erase import HoldFacts
from handrail.ledger.read import (
    BIT,
    MAX_LIMIT,
    Found,
    Listing,
    Page,
    Query,
    Shown,
    StandingHold,
    interaction_facts,
    kinds_of,
)
from handrail.ledger.seal import unseal
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ConversationId, Digest, EntryId, InteractionId, SubjectId, UseCaseId

FOUND = (
    "SELECT i.seq, i.interaction, i.at_ms, i.use_case, i.conversation, i.release, i.verdict, i.outcome, i.language, "
    "i.kinds"
)
SHOWN = (
    "SELECT e.seq, e.id, e.commitment, e.facts, p.subject, p.sealed, "
    "CASE WHEN p.sealed IS NULL AND " + ERASED_ALONE + " THEN NULL ELSE s.wrapped END, s.wrapped_by, q.idx "
    "FROM entry e LEFT JOIN payload p ON p.seq = e.seq LEFT JOIN subject s ON s.id = p.subject "
    "LEFT JOIN sequenced q ON q.seq = e.seq "
)


FOUND_WITH_FACTS = (
    "SELECT f.seq, f.interaction, f.at_ms, f.use_case, f.conversation, f.release, f.verdict, f.outcome, f.language, "
    "f.kinds, e.facts FROM ({}) f JOIN entry e ON e.seq = f.seq ORDER BY f.seq DESC"
)
"""Around a search, so that the facts are read of what it found and of nothing else."""
_IN_FACTS = '{}":{}'
"""As a member stands in facts: no string inside them can hold it, since JSON escapes its quotes. It begins with a
letter rather than with a quote, of which there are so many that looking for one takes a third longer."""
FREQUENT = frozenset({EntryKind.INTERACTION_OPENED, EntryKind.INTERACTION_CLOSED})
RARE = "kind NOT IN ('interaction.opened', 'interaction.closed')"
"""Word for word the condition of the index `entry_rare`: that is how both engines see that they may use it."""


HOLDS = (
    "SELECT h.subject, h.at_ms, e.facts, (SELECT c.id FROM conversation c WHERE c.subject = h.subject "
    "ORDER BY c.at_ms DESC, c.id DESC LIMIT 1) FROM legal_hold h JOIN entry e ON e.id = h.entry "
    "ORDER BY h.at_ms, h.subject"
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
        self._each = [self._places([kind.value]) for kind in listing.kinds]

    def where(self) -> str:
        of = [f"kind IN ({', '.join(self._each)})"] if self._each else []
        return " AND ".join([*self._sql, *of]) or "true"

    def by_kind(self, limit: int) -> str:
        """The statement for kinds that are all in the index `entry_rare`: a kind at a time, newest first, so that
        nothing else is read."""
        rest = "".join(f"{each} AND " for each in self._sql)  # first: SQLite numbers values by where they stand
        parts = [
            f"SELECT * FROM (SELECT seq, facts FROM entry WHERE {rest}kind = {place} AND {RARE} "  # noqa: S608  ours
            f"ORDER BY seq DESC LIMIT {limit}) AS k{at}"
            for at, place in enumerate(self._each)
        ]
        return f"{' UNION ALL '.join(parts)} ORDER BY seq DESC LIMIT {limit}"


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
        self._add("i.language = {}", query.language)
        self._add("i.outcome = {}", None if query.outcome is None else query.outcome.value)
        if query.flagged:
            self._sql.append("i.interaction IN (SELECT f.interaction FROM flag f WHERE f.stands = 1)")
        self._add("i.seq < {}", None if query.cursor is None else _cursor(query.cursor))

    def later_columns(self, query: Query, holds: str) -> None:
        """Channel and arm, of which a row of before migration 021 says nothing until it is filled: then its facts do.
        `holds`: `backends.rows.Reading.HOLDS`. Their look-up is no EXISTS, which PostgreSQL may turn into a pass over
        all facts there are."""
        for name, value in (("channel", query.channel), ("arm", query.arm)):
            if value is not None:
                mine, facts = self._places([value]), self._places([_member(name, value)])
                told = f"(SELECT {holds.format('x.facts', facts)} FROM entry x WHERE x.seq = i.seq)"  # noqa: S608  ours
                self._sql.append(f"(i.{name} = {mine} OR (i.{name} IS NULL AND {told}))")

    def asks_facts(self, query: Query, holds: str) -> bool:
        """Conditions on `entry e` too, where something is asked that no column has. `holds`: as in `later_columns`."""
        if query.would_be is None:
            return False
        member = self._places([_member("would_be", query.would_be.value)])
        self._sql += ["i.seq = e.seq", holds.format("e.facts", member)]
        return True

    def customer(self, subject: str, linked: Sequence[str]) -> None:
        """Sealed under the subject, or in a conversation it logged in to later."""
        mine = f"p.subject = {self._places([subject])}"
        self._sql.append(f"({mine} OR i.conversation IN ({self._places(linked)}))" if linked else mine)


def page(rows: Sequence[Sequence[Any]], limit: int) -> Page:
    """`rows`: seq, the columns of a Projection, facts; one more than `limit` when there is a next page."""
    found = tuple(
        Found(
            interaction=InteractionId(interaction),
            at_ms=at_ms,
            use_case=UseCaseId(use_case),
            conversation=ConversationId(conversation),
            release=None if release is None else Digest(bytes(release).hex()),
            verdict=Verdict(verdict),
            would_be=interaction_facts(read_facts(bytes(facts))).would_be,
            outcome=Outcome(outcome) if outcome else None,
            language=language,
            kinds=kinds_of(kinds),
        )
        for _, interaction, at_ms, use_case, conversation, release, verdict, outcome, language, kinds, facts in rows[
            :limit
        ]
    )
    return Page(found, str(rows[limit - 1][0]) if len(rows) > limit else None)


def shown(row: Sequence[Any], keys: Keyring) -> Shown:
    """`row`: seq, id, commitment, facts, then of the payload: subject, sealed, wrapped key (None when erased), who
    wrapped it; index.
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


def standing_hold(row: Sequence[Any]) -> StandingHold:
    """`row`: of `HOLDS`. Raises ValueError when its entry does not hold the facts of a hold."""
    subject, at_ms, facts, conversation = row
    recorded = read_facts(bytes(facts))
    return StandingHold(
        subject=SubjectId(subject),
        conversation=None if conversation is None else ConversationId(conversation),
        since_ms=at_ms,
        by=recorded.actor.id,
        reason=msgspec.json.decode(recorded.facts, type=HoldFacts).reason,
    )


def _member(name: str, value: str) -> bytes:
    return _IN_FACTS.format(name, msgspec.json.encode(value).decode()).encode()


def _cursor(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise HandrailError(Code.REQUEST_INVALID, "this cursor is not one that a search returned")
    return int(cursor)
