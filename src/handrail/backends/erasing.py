"""Erasure, legal hold, retention, rotation and the sweep, as commands over statements that both engines understand."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec

from handrail.approvals.facts import About
from handrail.backends.expiring import DUE, forget_action, forget_actions_of
from handrail.backends.journal import BatchedJournal
from handrail.backends.keyring import Keyring
from handrail.backends.outcomes import (
    OF_HELD,
    OF_HELD_PARTY,
    OF_USE_CASE,
    forget,
    forget_conversation,
    waiting_for,
)
from handrail.backends.rows import Reading
from handrail.ledger.backup import Erasure
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import Entry, EntryKind, InteractionFacts
from handrail.ledger.erase import (
    ErasedFacts,
    HoldFacts,
    Named,
    Plan,
    RetentionFacts,
    RotatedFacts,
    Who,
    cutoff,
    of_one,
    plan,
    reference,
    require_decided,
)
from handrail.ledger.read import interaction_facts
from handrail.ledger.store import Transaction
from handrail.terms.actor import Actor
from handrail.terms.decision import Outcome
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ConversationId, EntryId, Ids, SubjectId, UseCaseId

_ABOUT = msgspec.json.Decoder(About)
REWRAP = 500
SWEEP, SWEEPS = 500, 10
"""Entries looked at in one transaction, which others wait for, and transactions of one sweep."""

_OF_INTERACTIONS = "SELECT i.seq FROM interaction i WHERE i.use_case = $1 AND i.at_ms < $2"
_DUE = f"FROM payload p WHERE p.sealed IS NOT NULL AND (p.seq IN ({_OF_INTERACTIONS}) OR p.seq IN ({OF_USE_CASE})) AND "
_HELD_PARTY = (
    "SELECT 1 FROM interaction i JOIN party y ON y.conversation = i.conversation "
    "JOIN legal_hold h ON h.subject = y.subject WHERE i.seq = p.seq"
)
_HELD = (
    f"(p.subject IN (SELECT subject FROM legal_hold) OR p.subject IN ({OF_HELD}) "  # noqa: S608  our own text
    f"OR p.seq IN ({OF_HELD_PARTY}) OR EXISTS ({_HELD_PARTY}))"
)
"""Whoever a payload is sealed for, and whoever else its conversation names."""


OF_CONVERSATION = "cv_"
"""In `erased`, the name of a conversation erased by itself; every other is a subject's."""
_CONVERSATIONS = (
    "SELECT c.id, c.subject FROM conversation c JOIN subject s ON s.id = c.subject "
    "WHERE (c.id = $1 OR c.given = $2) AND s.wrapped IS NOT NULL AND c.key_id <> ''"
)
_SHARED = " AND s.person = 1 AND EXISTS (SELECT 1 FROM party y WHERE y.conversation = c.id)"


class ErasingTransaction(Transaction, Protocol):
    """What both concrete transactions have beside the port."""

    @property
    def intermediate(self) -> str: ...

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    def bump_epoch(self) -> int: ...


class StoredErasing:
    """`ledger.erase.Erasing`. `clean`: called after keys were destroyed, to overwrite old bytes on disk. `rotates`: the
    engine keeps old row versions for a while, so each erasure also replaces the intermediate key that wrapped them."""

    def __init__(
        self,
        journal: BatchedJournal,
        reading: Reading,
        keys: Keyring,
        ids: Ids,
        clean: Callable[[], Awaitable[None]],
        *,
        rotates: bool,
    ) -> None:
        self._rotates = rotates
        self._journal = journal
        self._reading = reading
        self._keys = keys
        self._ids = ids
        self._clean = clean

    async def erase(self, who: Who, *, reason: str, by: Actor) -> ErasedFacts:
        said = reference(reason)

        def erase(tx: ErasingTransaction) -> ErasedFacts:
            entry = self._entry_id()
            about, facts = self._shared_one(tx, who, entry, said) or self._whole(tx, who, entry, said)
            self._append(tx, entry, EntryKind.SUBJECT_ERASED, by, facts, about=about)
            tx.bump_epoch()
            return facts

        erased = await self._journal.run(erase)
        self._keys.forget()
        if self._rotates:
            await self.rotate(by=by)
        await self._clean()
        return erased

    def _whole(self, tx: ErasingTransaction, who: Who, entry: str, said: str) -> tuple[str, ErasedFacts]:
        """Destroy the keys of everybody who is meant; about whom, and what was done."""
        root = self._root(tx, who)
        what = plan(root, _named(tx, root))
        _require_free(tx, (*what.destroy, *what.named))
        require_decided(what.stuck)
        conversations = sum(_conversations(tx, subject) for subject in what.destroy)
        payloads = sum(_destroy(tx, subject, entry) for subject in what.destroy)
        return root, ErasedFacts(what.destroy, what.shared, conversations, payloads, said)

    def _shared_one(self, tx: ErasingTransaction, who: Who, entry: str, said: str) -> tuple[str, ErasedFacts] | None:
        """Erase a conversation of two customers by itself; None when it is not one that is meant."""
        if who.conversation is None:
            return None
        found = tx.fetch(
            _CONVERSATIONS + _SHARED,
            (who.conversation, self._keys.lookup.given(who.conversation)),
        )
        if not found:
            return None
        if len(found) > 1 or len(self._conversations(tx, who.conversation)) > 1:
            raise _ambiguous()
        conversation, own = found[0]
        parties = tx.fetch("SELECT subject FROM party WHERE conversation = $1", (conversation,))
        _require_free(tx, (own, *(party for (party,) in parties)))
        return conversation, ErasedFacts((), (), 1, _destroy_conversation(tx, conversation, entry), said)

    async def erased(self) -> list[Erasure]:
        """Every subject erased so far, and every conversation erased by itself, oldest first."""
        rows = await self._reading.rows("SELECT subject, entry, at_ms FROM erased ORDER BY at_ms, subject")
        return [Erasure(SubjectId(subject), entry, at_ms) for subject, entry, at_ms in rows]

    async def clean(self) -> None:
        """Overwrite what erasures left on disk. Raises HandrailError JOURNAL_UNAVAILABLE."""
        self._keys.forget()
        await self._clean()

    def again(self, tx: ErasingTransaction, erasures: Sequence[Erasure], *, reason: str, by: Actor) -> int:
        """Erase what was erased after a backup was made, inside a command; how many were not erased already. A legal
        hold does not block it: the erasure was allowed when it was made. `reason`: handrail's own words. The caller
        calls `clean` afterwards."""
        subjects, payloads, conversations, entry = [], 0, 0, self._entry_id()
        for each in erasures:
            if tx.fetch("SELECT 1 FROM erased WHERE subject = $1", (each.subject,)):
                continue
            subjects.append(each.subject)
            if each.subject.startswith(OF_CONVERSATION):
                conversations += 1
                payloads += _destroy_conversation(tx, each.subject, entry)
                continue
            conversations += _conversations(tx, each.subject)
            payloads += _destroy(tx, each.subject, entry)
        if subjects:
            facts = ErasedFacts(tuple(subjects), (), conversations, payloads, reason)
            self._append(tx, entry, EntryKind.SUBJECT_ERASED, by, facts, about=subjects[0])
            tx.bump_epoch()
        return len(subjects)

    async def hold(self, who: Who, *, reason: str, by: Actor) -> HoldFacts:
        said = reference(reason)

        def hold(tx: ErasingTransaction) -> HoldFacts:
            what = self._plan(tx, who)
            entry = self._entry_id()
            for subject in what.destroy:
                tx.fetch(
                    "INSERT INTO legal_hold (subject, entry, at_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    (subject, entry, tx.now_ms),
                )
            facts = HoldFacts(what.destroy, said)
            self._append(tx, entry, EntryKind.LEGAL_HOLD_SET, by, facts, about=what.destroy[0])
            return facts

        return await self._journal.run(hold)

    async def lift(self, who: Who, *, reason: str, by: Actor) -> HoldFacts:
        said = reference(reason)

        def lift(tx: ErasingTransaction) -> HoldFacts:
            lifted = tuple(
                subject
                for subject in self._plan(tx, who).destroy
                if tx.fetch("DELETE FROM legal_hold WHERE subject = $1 RETURNING subject", (subject,))
            )
            if not lifted:
                raise HandrailError(Code.NOT_FOUND, "no legal hold is set on this")
            facts = HoldFacts(lifted, said)
            self._append(tx, self._entry_id(), EntryKind.LEGAL_HOLD_LIFTED, by, facts, about=lifted[0])
            return facts

        return await self._journal.run(lift)

    async def expire(self, use_case: UseCaseId, *, keep_days: int, minimum_days: int, by: Actor) -> RetentionFacts:
        def expire(tx: ErasingTransaction) -> RetentionFacts:
            before = cutoff(tx.now_ms, keep_days=keep_days, minimum_days=minimum_days)
            held = tx.fetch(f"SELECT count(*) {_DUE} {_HELD}", (use_case, before))[0][0]
            gone = tx.fetch(
                f"UPDATE payload SET sealed = NULL WHERE seq IN (SELECT p.seq {_DUE} NOT {_HELD}) "  # noqa: S608  ours
                "RETURNING seq",
                (use_case, before),
            )
            facts = RetentionFacts(use_case, before, len(gone), held)
            if gone:
                self._append(tx, self._entry_id(), EntryKind.RETENTION_APPLIED, by, facts, about=use_case)
            return facts

        applied = await self._journal.run(expire)
        if applied.destroyed:
            await self._clean()
        return applied

    async def expire_actions(
        self, use_case: UseCaseId, *, keep_days: int, minimum_days: int, by: Actor
    ) -> RetentionFacts:
        """Calls and results of the use case's ended actions that are due, with what entries keep of them. Raises
        HandrailError HOME_INVALID, JOURNAL_UNAVAILABLE."""
        total, after = RetentionFacts(use_case, 0, 0, 0), ""
        while True:

            def expire(tx: ErasingTransaction, after: str = after) -> tuple[RetentionFacts, str]:
                before = cutoff(tx.now_ms, keep_days=keep_days, minimum_days=minimum_days)
                found = tx.fetch(DUE, (before, after))
                mine = [row for row in found if _ABOUT.decode(bytes(row[1])).use_case == use_case]
                due = [row for row in mine if not row[3]]
                gone = sum([forget_action(tx, action, subject) for action, _, subject, _ in due])
                facts = RetentionFacts(use_case, before, gone, len(mine) - len(due), len(due))
                if due:
                    self._append(tx, self._entry_id(), EntryKind.RETENTION_APPLIED, by, facts, about=use_case)
                return facts, found[-1][0] if found else ""

            facts, after = await self._journal.run(expire)
            total = RetentionFacts(
                use_case, facts.before_ms, total.destroyed + facts.destroyed, total.held + facts.held,
                total.actions + facts.actions,
            )  # fmt: skip
            if not after:
                break
        if total.actions:
            await self._clean()
        return total

    async def rotate(self, *, by: Actor) -> RotatedFacts:
        new = self._keys.new_intermediate()

        def switch(tx: ErasingTransaction) -> None:
            tx.fetch("UPDATE control SET intermediate = $1", (new,))

        await self._journal.run(switch)
        count, after = 0, ""
        while True:

            def rewrap(tx: ErasingTransaction, after: str = after) -> tuple[int, str]:
                return self._rewrap(tx, new, after)

            done, after = await self._journal.run(rewrap)
            count += done
            if not after:
                break

        def finish(tx: ErasingTransaction) -> RotatedFacts:
            left = tx.fetch("SELECT DISTINCT wrapped_by FROM subject WHERE wrapped IS NOT NULL")
            kept = {new, tx.intermediate, *(name for (name,) in left)}
            old = tuple(
                name for name in self._keys.folder.names() if name.startswith("intermediate-") and name not in kept
            )
            facts = RotatedFacts(new, old, count)
            self._append(tx, self._entry_id(), EntryKind.SEALING_KEY_ROTATED, by, facts, about=new)
            tx.bump_epoch()
            return facts

        facts = await self._journal.run(finish)
        for name in facts.destroyed:
            self._keys.folder.destroy(name)
        self._keys.forget()
        return facts

    async def interrupted(self, *, older_than_ms: int, by: Actor) -> int:
        ended, further = 0, True
        for _ in range(SWEEPS):
            more, further = await self._interrupted(older_than_ms, by)
            ended += more
            if not further:
                break
        return ended

    async def _interrupted(self, older_than_ms: int, by: Actor) -> tuple[int, bool]:
        """Of the next entries: how many were interrupted, and whether to go on with those behind."""
        swept = (await self._reading.rows("SELECT swept FROM control"))[0][0]
        found = await self._reading.rows(
            "SELECT seq, CASE kind WHEN $1 THEN facts END FROM entry WHERE seq > $2 ORDER BY seq LIMIT $3",
            (EntryKind.INTERACTION_OPENED.value, swept, SWEEP),
        )
        opened = {seq: facts for seq, facts in found if facts is not None}

        def sweep(tx: ErasingTransaction) -> tuple[int, bool]:
            count, upto, stopped = 0, found[-1][0], False
            for seq, facts in opened.items():
                recorded = read_facts(bytes(facts))
                if tx.fetch("SELECT 1 FROM interaction WHERE interaction = $1 LIMIT 1", (recorded.interaction,)):
                    continue
                if recorded.at_ms > tx.now_ms - older_than_ms:
                    upto, stopped = seq - 1, True
                    break
                count += 1
                entry = Entry(
                    id=self._entry_id(),
                    kind=EntryKind.INTERACTION_INTERRUPTED,
                    at_ms=tx.now_ms,
                    actor=by,
                    facts=_interrupted(interaction_facts(recorded)),
                    use_case=recorded.use_case,
                    conversation=recorded.conversation,
                    interaction=recorded.interaction,
                    ruleset=recorded.ruleset,
                    release=recorded.release,
                )
                tx.append(entry)
            tx.fetch("UPDATE control SET swept = $1 WHERE swept < $2", (upto, upto))
            return count, not stopped and len(found) == SWEEP

        return await self._journal.run(sweep) if found else (0, False)

    def _plan(self, tx: ErasingTransaction, who: Who) -> Plan:
        root = self._root(tx, who)
        return plan(root, _named(tx, root))

    def _root(self, tx: ErasingTransaction, who: Who) -> SubjectId:
        """The subject that was asked for. Raises HandrailError NOT_FOUND or REQUEST_INVALID."""
        values: tuple[Any, ...]
        if who.customer is not None:
            sql, values = "SELECT subject FROM customer WHERE hash = $1", (self._keys.lookup.customer(who.customer),)
            found = [subject for (subject,) in tx.fetch(sql, values)]
        else:
            found = sorted({subject for _, subject in self._conversations(tx, who.conversation or "")})
        if not found and who.conversation is not None:
            waiting = waiting_for(tx, self._keys.lookup.given(who.conversation))
            found = [waiting] if waiting else []
        if not found:
            raise HandrailError(Code.NOT_FOUND, "nobody of this name is recorded, or it was erased already")
        if len(found) > 1:
            raise _ambiguous()
        return SubjectId(found[0])

    def _conversations(self, tx: ErasingTransaction, conversation: str) -> list[tuple[Any, ...]]:
        """Those of this id that are not erased: id, subject."""
        return tx.fetch(_CONVERSATIONS, (conversation, self._keys.lookup.given(conversation)))

    def _rewrap(self, tx: ErasingTransaction, new: str, after: str) -> tuple[int, str]:
        """One portion; how many, and where to go on (empty: done)."""
        found = tx.fetch(
            "SELECT id, wrapped, wrapped_by FROM subject WHERE id > $1 AND wrapped IS NOT NULL ORDER BY id LIMIT $2",
            (after, REWRAP),
        )
        count = 0
        for subject, wrapped, by in found:
            if by == new:
                continue
            key = self._keys.unwrap(subject, bytes(wrapped), by)
            tx.fetch(
                "UPDATE subject SET wrapped = $1, wrapped_by = $2 WHERE id = $3",
                (self._keys.wrap(subject, key, new), new, subject),
            )
            count += 1
        return count, found[-1][0] if len(found) == REWRAP else ""

    def _entry_id(self) -> EntryId:
        return EntryId(self._ids.new("en"))

    def _append(
        self,
        tx: Transaction,
        entry: EntryId,
        kind: EntryKind,
        by: Actor,
        facts: ErasedFacts | HoldFacts | RetentionFacts | RotatedFacts,
        *,
        about: str,
    ) -> None:
        tx.append(Entry(id=entry, kind=kind, at_ms=tx.now_ms, actor=by, facts=facts, about=about))


def _interrupted(facts: InteractionFacts) -> InteractionFacts:
    """The same interaction, ended by the death of its process."""
    return msgspec.structs.replace(facts, outcome=Outcome.INTERRUPTED)


def _ambiguous() -> HandrailError:
    return HandrailError(
        Code.REQUEST_INVALID,
        "several conversations carry this id of the client's; give ours (cv_...): handrail find --conversation",
    )


def _require_free(tx: ErasingTransaction, subjects: Sequence[str]) -> None:
    if any(tx.fetch("SELECT 1 FROM legal_hold WHERE subject = $1", (subject,)) for subject in subjects):
        raise HandrailError(Code.LEGAL_HOLD, "a legal hold forbids this erasure; lift it first")


def _conversations(tx: ErasingTransaction, subject: str) -> int:
    return len(tx.fetch("SELECT id FROM conversation WHERE subject = $1 AND key_id <> ''", (subject,)))


def _destroy_conversation(tx: ErasingTransaction, conversation: str, entry: str) -> int:
    """Delete the ciphertexts of one conversation and everything that leads to it; the key that sealed them stays. How
    many payloads. From now on it belongs to no API key, so that nothing goes on with it or writes to it."""
    outcomes = sum(_destroy(tx, own, entry) for own in forget_conversation(tx, conversation))
    payloads = tx.fetch(
        "UPDATE payload SET sealed = NULL WHERE sealed IS NOT NULL AND ("
        "(subject = (SELECT subject FROM conversation WHERE id = $1) AND EXISTS "
        "(SELECT 1 FROM interaction i WHERE i.seq = payload.seq AND i.conversation = $1)) OR "
        "seq IN (SELECT e.seq FROM outcome o JOIN entry e ON e.id = o.entry WHERE o.conversation = $1)) RETURNING seq",
        (conversation,),
    )
    acted = forget_actions_of(tx, conversation)
    tx.fetch("DELETE FROM provider_object WHERE conversation = $1", (conversation,))
    tx.fetch("DELETE FROM model_call WHERE conversation = $1", (conversation,))
    tx.fetch("DELETE FROM party WHERE conversation = $1", (conversation,))
    tx.fetch(
        "UPDATE conversation SET key_id = '', given = NULL, tail = NULL, seen = $1 WHERE id = $2", (b"", conversation)
    )
    tx.fetch("INSERT INTO erased (subject, entry, at_ms) VALUES ($1, $2, $3)", (conversation, entry, tx.now_ms))
    return len(payloads) + outcomes + acted


def _destroy(tx: ErasingTransaction, subject: str, entry: str) -> int:
    """Overwrite the key, delete ciphertexts and everything that leads to the subject; how many payloads. That it took
    part in a conversation which is left stays noted (a random id): it still names two customers."""
    tx.fetch("UPDATE subject SET wrapped = NULL WHERE id = $1", (subject,))
    outcomes = sum([_destroy(tx, own, entry) for own in forget(tx, subject)])
    customers = tx.fetch("DELETE FROM customer WHERE subject = $1 RETURNING hash", (subject,))
    for (customer,) in customers:
        tx.fetch("DELETE FROM provider_object WHERE customer = $1", (customer,))
    tx.fetch(
        "DELETE FROM provider_object WHERE conversation IN (SELECT id FROM conversation WHERE subject = $1)", (subject,)
    )
    tx.fetch(
        "DELETE FROM model_call WHERE conversation IN (SELECT id FROM conversation WHERE subject = $1)", (subject,)
    )
    payloads = tx.fetch(
        "UPDATE payload SET sealed = NULL WHERE subject = $1 AND sealed IS NOT NULL RETURNING seq", (subject,)
    )
    tx.fetch(
        "UPDATE action SET sealed = NULL, given = NULL, result = NULL, business = $1 WHERE subject = $2", (b"", subject)
    )
    tx.fetch("DELETE FROM party WHERE conversation IN (SELECT id FROM conversation WHERE subject = $1)", (subject,))
    tx.fetch("UPDATE conversation SET given = NULL, tail = NULL, seen = $1 WHERE subject = $2", (b"", subject))
    tx.fetch("INSERT INTO erased (subject, entry, at_ms) VALUES ($1, $2, $3)", (subject, entry, tx.now_ms))
    return len(payloads) + outcomes


def _named(tx: ErasingTransaction, root: str) -> list[Named]:
    """Every conversation with parties that names `root`, or somebody who is erased with it."""
    found: dict[str, Named] = {}
    waiting, seen = [root], {root}
    while waiting:
        subject = waiting.pop()
        rows = tx.fetch(
            "SELECT c.id, c.subject, s.person FROM conversation c JOIN subject s ON s.id = c.subject "
            "WHERE c.id IN (SELECT conversation FROM party WHERE subject = $1) "
            "OR (c.subject = $1 AND EXISTS (SELECT 1 FROM party y WHERE y.conversation = c.id))",
            (subject,),
        )
        for conversation, own, person in rows:
            if conversation in found:
                continue
            parties = [
                party for (party,) in tx.fetch("SELECT subject FROM party WHERE conversation = $1", (conversation,))
            ]
            named = found[conversation] = Named(
                conversation=ConversationId(conversation),
                own=SubjectId(own),
                own_is_person=bool(person),
                parties=frozenset(map(SubjectId, parties)),
            )
            for other in (own, *parties):
                if of_one(named) and other not in seen:
                    seen.add(other)
                    waiting.append(other)
    return list(found.values())
