"""Actions as they are read beside the writer: one by its id, the queue, what is due, and a recorded conversation."""

from collections.abc import Sequence
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handrail.approvals.facts import About
from handrail.approvals.lifecycle import Progress, State
from handrail.approvals.stop import Stop
from handrail.approvals.store import Line, Past, Queued, Stored
from handrail.backends.keyring import Keyring
from handrail.backends.rows import Reading
from handrail.guard.recollect import Acted, Record, Spoken
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import FoundFact
from handrail.ledger.read import interaction_facts
from handrail.ledger.seal import Unreadable, unseal
from handrail.policy.action import Why
from handrail.policy.action_rules import Route
from handrail.policy.evaluate import Found, Side
from handrail.terms.action import Action, ActionId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Role
from handrail.terms.ids import ConversationId, Digest, PersonId, SubjectId, UseCaseId

_WHOLE = (
    "SELECT a.subject, a.business, a.progress, a.about, a.reserved, a.sealed, a.given, a.result, s.wrapped, "
    "s.wrapped_by FROM action a LEFT JOIN subject s ON s.id = a.subject "
)


class StoredActs:
    """`approvals.store.ActionReader` and `guard.recollect.Conversations`."""

    def __init__(self, reading: Reading, keys: Keyring) -> None:
        self._rows = reading.rows
        self._keys = keys

    async def get(self, action: ActionId) -> Stored:
        found = await self._rows(_WHOLE + "WHERE a.id = $1", (action,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no action with this id; see handrail approvals list")
        return self._stored(found[0])

    async def queue(self, states: frozenset[State], *, limit: int, after: ActionId | None = None) -> list[Line]:
        names = ", ".join(f"'{state.value}'" for state in sorted(states))
        sql = f"SELECT progress, about FROM action WHERE state IN ({names}) AND id > $1 ORDER BY id LIMIT $2"  # noqa: S608  ours
        rows = await self._rows(sql, (after or "", limit))
        return [_line(_WAITING.decode(progress), _HEAD.decode(about)) for progress, about in rows]

    async def queued(
        self, states: frozenset[State], *, limit: int, after: ActionId | None = None, newest: bool = False,
        due_before: int | None = None,
    ) -> list[Queued]:  # fmt: skip
        order, behind = ("id DESC", "<") if newest else ("id", ">")
        state_is = "state"
        values: list[Any] = []
        where = ""
        if after is not None:
            values.append(after)
            where += f" AND id {behind} ${len(values)}"
        if due_before is not None:
            values.append(due_before)
            where += f" AND due_at <= ${len(values)}"
            order, state_is = "due_at, id", "state || ''"  # so that the index of due times is taken
        values.append(limit)
        most = f"${len(values)}"
        each = [  # a state at a time, so that the index gives the order and nothing is sorted
            f"SELECT * FROM (SELECT id, due_at, progress, about FROM action WHERE {state_is} = '{state.value}'{where} "  # noqa: S608  ours
            f"ORDER BY {order} LIMIT {most}) AS {state.value}"
            for state in sorted(states)
        ]
        rows = await self._rows(f"{' UNION ALL '.join(each)} ORDER BY {order} LIMIT {most}", tuple(values))
        return [_queued(_STANDING.decode(bytes(row[2])), _STANDING_ABOUT.decode(bytes(row[3]))) for row in rows]

    async def counts(self) -> dict[State, int]:
        rows = await self._rows("SELECT state, count(*) FROM action GROUP BY state", ())
        return {State(state): int(count) for state, count in rows}

    async def past(self, about: About, *, most: int) -> tuple[Past, ...]:
        states = (State.DONE, State.FAILED, State.DENIED, State.EXPIRED, State.LAPSED, State.UNKNOWN)
        each = " UNION ALL ".join(  # a state at a time: the index gives each its newest, however many wait
            f"SELECT * FROM (SELECT id, progress, about FROM action WHERE state = '{state.value}' "  # noqa: S608  ours
            f"ORDER BY id DESC LIMIT $1) AS {state.value}"
            for state in states
        )
        sql = f"SELECT progress, about FROM ({each}) AS ended ORDER BY id DESC LIMIT $1"  # noqa: S608  ours
        found = []
        for raw_progress, raw_about in await self._rows(sql, (_LOOKED_AT,)):
            progress, other = _PROGRESS.decode(bytes(raw_progress)), _ABOUT.decode(bytes(raw_about))
            same = other.facts.tool == about.facts.tool and other.use_case == about.use_case
            if same and other.route is not None and not progress.drill:
                found.append(
                    Past(
                        action=progress.action,
                        state=progress.state,
                        at_ms=progress.created_at,
                        amount_minor=other.facts.amount_minor,
                        currency=other.facts.currency,
                        settled_by=progress.settled_by,
                    )
                )
            if len(found) == most:
                break
        return tuple(found)

    async def recent(self, use_case: UseCaseId, *, most: int) -> tuple[Stored, ...]:
        rows = await self._rows(_WHOLE + "ORDER BY a.id DESC LIMIT $1", (_LOOKED_AT // 10,))
        found: list[Stored] = []
        for row in rows:
            if len(found) == most:
                break
            about = _HEAD.decode(bytes(row[3]))
            if about.use_case == use_case and not _PROGRESS.decode(bytes(row[2])).drill:
                found.append(self._stored(row))
        return tuple(found)

    async def next_due(self) -> int | None:
        rows = await self._rows("SELECT min(due_at) FROM action WHERE due_at IS NOT NULL", ())
        return None if rows[0][0] is None else int(rows[0][0])

    async def next_drill(self) -> int | None:
        """When the next planned drill is due, in Unix ms."""
        rows = await self._rows("SELECT min(due_at) FROM drill WHERE state = 'planned'", ())
        return None if rows[0][0] is None else int(rows[0][0])

    async def silent_since(self) -> int | None:
        """The earliest time until which a process that waits for its actions was heard of (`approvals.awaited`)."""
        rows = await self._rows("SELECT min(until) FROM awaited", ())
        return None if rows[0][0] is None else int(rows[0][0])

    async def stops(self) -> tuple[Stop, ...]:
        return tuple([_STOP.decode(bytes(row[0])) for row in await self._rows("SELECT stop FROM stop ORDER BY id", ())])

    async def record(self, conversation: ConversationId, *, most: int) -> Record:
        owner = await self._rows(
            "SELECT c.subject, s.wrapped, s.wrapped_by, s.person, "
            "(SELECT count(*) FROM party y WHERE y.conversation = c.id AND y.subject <> c.subject) "
            "FROM conversation c LEFT JOIN subject s ON s.id = c.subject WHERE c.id = $1",
            (conversation,),
        )
        if not owner:
            return Record()
        subject, wrapped, wrapped_by, person, others = owner[0]
        if wrapped is None or person + others > 1:  # two customers: nobody can tell whose words these are
            return Record(whole=False)
        spoken = await self._rows(
            "SELECT e.id, e.at_ms, e.facts, p.sealed FROM payload p JOIN interaction i ON i.seq = p.seq "
            "JOIN entry e ON e.seq = p.seq WHERE p.subject = $1 AND i.conversation = $2 ORDER BY p.seq LIMIT $3",
            (subject, conversation, most + 1),
        )
        acted = await self._rows(
            _WHOLE + "WHERE a.conversation = $1 AND a.state = $2 ORDER BY a.id LIMIT $3",
            (conversation, State.DONE.value, most + 1),
        )
        cipher = AESGCM(self._keys.unwrap(subject, bytes(wrapped), wrapped_by))
        said = tuple([_spoken(row, subject, cipher) for row in spoken if row[3] is not None])
        did = tuple([one for row in acted if (one := _acted(self._stored(row))) is not None])
        whole = len(said) == len(spoken) and max(len(spoken), len(acted)) <= most
        return Record(spoken=said, acted=did, whole=whole)

    def _stored(self, row: Sequence[Any]) -> Stored:
        subject, business, progress, about, reserved, sealed, given, result, wrapped, wrapped_by = row
        known = _PROGRESS.decode(bytes(progress))
        cipher = None if wrapped is None else AESGCM(self._keys.unwrap(subject, bytes(wrapped), wrapped_by))

        def clear(what: str, data: bytes | None) -> bytes | None:
            if data is None or cipher is None:
                return None
            return unseal(bytes(data), cipher, entry=f"{known.action} {what}", key=subject)

        request = clear("request", sealed)
        return Stored(
            progress=known,
            about=_ABOUT.decode(bytes(about)),
            subject=SubjectId(subject),
            request=None if request is None else _ACTION.decode(request),
            business=bytes(business),
            reserved=msgspec.json.decode(bytes(reserved), type=tuple[tuple[str, str, int], ...]),
            given=clear("given", given),
            result=clear("result", result),
        )


class _Waiting(msgspec.Struct, frozen=True, gc=False):
    """What the queue needs of a `Progress`."""

    action: ActionId
    state: State
    created_at: int
    needs: int = 0
    approvals: tuple[msgspec.Raw, ...] = ()
    route: str = ""
    decide_by: int | None = None


class _Code(msgspec.Struct, frozen=True, gc=False):
    code: str


class _Facts(msgspec.Struct, frozen=True, gc=False):
    tool: str = ""
    agent: str = ""
    amount_minor: int | None = None
    currency: str = ""
    reasons: tuple[_Code, ...] = ()


class _Head(msgspec.Struct, frozen=True, gc=False):
    """What the queue needs of an `About`."""

    use_case: str
    facts: _Facts


def line_of(progress: bytes, about: bytes) -> Line:
    """A row of the queue, from its two columns."""
    return _line(_WAITING.decode(progress), _HEAD.decode(about))


def _line(progress: _Waiting, about: _Head) -> Line:
    facts = about.facts
    return Line(
        action=progress.action, state=progress.state, use_case=about.use_case, tool=facts.tool, agent=facts.agent,
        amount_minor=facts.amount_minor, currency=facts.currency,
        reasons=tuple(dict.fromkeys([reason.code for reason in facts.reasons])), route=progress.route,
        needs=progress.needs, given=len(progress.approvals), created_at=progress.created_at,
        decide_by=progress.decide_by,
    )  # fmt: skip


class _Given(msgspec.Struct, frozen=True, gc=False):
    person: PersonId


class _Standing(_Waiting, frozen=True, gc=False):
    """What a person's view of the queue needs besides."""

    digest: Digest = Digest("")
    approvals: tuple[_Given, ...] = ()  # type: ignore[assignment]  # opened here, which the queue does not need
    excluded: frozenset[PersonId] = frozenset()
    step: int = 0
    settled_by: str = ""
    settled_at: int | None = None
    handed_to: str = ""
    handed_until: int | None = None


class _StandingFacts(_Facts, frozen=True, gc=False):
    type: str = ""


class _StandingAbout(msgspec.Struct, frozen=True, gc=False):
    use_case: str
    facts: _StandingFacts
    route: Route | None = None


def _queued(progress: _Standing, about: _StandingAbout) -> Queued:
    facts = about.facts
    codes = tuple(dict.fromkeys([reason.code for reason in facts.reasons]))
    return Queued(
        action=progress.action, state=progress.state, use_case=about.use_case, tool=facts.tool, agent=facts.agent,
        amount_minor=facts.amount_minor, currency=facts.currency, reasons=codes, route=progress.route,
        needs=progress.needs, given=len(progress.approvals), created_at=progress.created_at,
        decide_by=progress.decide_by, type=facts.type, digest=progress.digest, asks=about.route, step=progress.step,
        approved=tuple([one.person for one in progress.approvals]), excluded=progress.excluded,
        settled_by=progress.settled_by, settled_at=progress.settled_at, unread=Why.AMOUNT in codes,
        handed_to=progress.handed_to, handed_until=progress.handed_until,
    )  # fmt: skip


_LOOKED_AT = 2_000
"""Ended actions among which similar ones are looked for, the newest first."""


def _spoken(row: Sequence[Any], subject: str, cipher: AESGCM) -> Spoken:
    entry, at_ms, facts, sealed = row
    try:
        payload = unseal(bytes(sealed), cipher, entry=entry, key=subject)
    except Unreadable:
        raise HandrailError(Code.JOURNAL_UNAVAILABLE, f"the payload of {entry} cannot be opened") from None
    seen = interaction_facts(read_facts(bytes(facts)))
    found = tuple([_found(one) for one in seen.findings])
    return Spoken(at_ms, payload, seen.untrusted, found, seen.failures)


def _found(one: FoundFact) -> Found:
    """Who wrote the text is not among the facts: the customer's side or the model's."""
    side = Side(one.side)
    return Found(one.kind, side, Role.USER if side is Side.INPUT else Role.ASSISTANT, one.score, message=one.message)


def _acted(stored: Stored) -> Acted | None:
    if stored.request is None or stored.result is None:
        return None
    return Acted(stored.progress.created_at, stored.request, msgspec.json.decode(stored.result)["result"])


_WAITING = msgspec.json.Decoder(_Waiting)
_HEAD = msgspec.json.Decoder(_Head)
_STANDING = msgspec.json.Decoder(_Standing)
_STANDING_ABOUT = msgspec.json.Decoder(_StandingAbout)
_ABOUT = msgspec.json.Decoder(About)
_ACTION = msgspec.json.Decoder(Action)
_PROGRESS = msgspec.json.Decoder(Progress)
_STOP = msgspec.json.Decoder(Stop)
