"""Put a home in force: ruleset and releases, their entries and the new epoch in one transaction.

A crash before the commit leaves the old one in force; a home with a mistake never gets here (`home.compile` refuses
it). What did not change makes no new entry, so publishing the same home twice is one publication. A changed release is
a draft where its use case declares a ramp and something is live, so that publishing never bypasses a canary; without a
ramp, or with `rollout: immediate`, it goes live at once, with its own entry.
"""

from dataclasses import dataclass
from typing import Protocol

import msgspec

from handrail.governance.store import AutonomyStore
from handrail.home.compile import Compiled
from handrail.in_force.store import RulesetStore
from handrail.ledger.entry import Entry, EntryKind
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.people.role import Role
from handrail.people.store import PeopleTransaction
from handrail.policy.autonomy import is_below
from handrail.policy.check_rules import Ground, unsettled
from handrail.policy.ruleset import Ruleset, digest, rule_digests
from handrail.releases import desk
from handrail.releases.lifecycle import OVER, State
from handrail.releases.release import Release
from handrail.releases.store import ReleaseTransaction
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, EntryId, Ids, UseCaseId


class PublishTransaction(PeopleTransaction, ReleaseTransaction, Protocol):
    @property
    def autonomy(self) -> AutonomyStore: ...

    @property
    def rulesets(self) -> RulesetStore: ...


class RulesetFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`author`: the person or actor whose publish first contained this digest. `epoch`: in force from here on."""

    ruleset: Digest
    before: Digest | None = None
    use_cases: tuple[str, ...] = ()
    author: str = ""
    epoch: int = 0


class ReleaseFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`release` None: the use case has left the home, nothing is live for it."""

    release: Digest | None = None
    before: Digest | None = None
    author: str = ""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What changed. `epoch` None: nothing did. `new_releases`: digests seen for the first time. `went_live`: use case
    to digest; None: retired. `drafted`: made a draft of, to be tested and started; `went_back`: those of
    them that were rolled back before, and why. `unsettled`: routes that nobody can
    settle yet, because there are no persons at all. `lowered`: demotions that stand, in words:
    no publish lifts one."""

    epoch: int | None
    ruleset: Digest
    ruleset_changed: bool
    new_releases: tuple[Digest, ...] = ()
    went_live: dict[UseCaseId, Digest | None] = {}
    drafted: dict[UseCaseId, Digest] = {}
    went_back: dict[UseCaseId, str] = {}
    unsettled: tuple[str, ...] = ()
    lowered: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return self.ruleset_changed or bool(self.went_live or self.drafted)


def _unsettled(tx: PublishTransaction, ruleset: Ruleset, by: Actor) -> tuple[str, ...]:
    """Routes that too few persons could settle: refused once persons exist, told before that, since the first publish
    may come before the first person. The use case's owner and deputy and who publishes settle nothing, and nobody what
    a rule of hers holds."""
    if not ruleset.actions.routes:
        return ()
    people = [person for person in tx.persons.all() if person.active]
    holders = {role.value: frozenset(one.id for one in people if role in one.roles) for role in Role}
    barred = {
        name: frozenset(
            one.id for one in people if one.mail in (case.owner.lower(), case.deputy.lower()) or one.id == by.id
        )
        for name, case in ruleset.use_cases.items()
        if case.tools
    }
    found = {name: tx.rulesets.rule_author(rule) for name, rule in rule_digests(ruleset.actions).items()}
    authors = {
        name: author.id for name, author in found.items() if author is not None and author.kind is ActorKind.PERSON
    }
    ground = Ground(tools=dict.fromkeys(barred, ()), digits={}, holders=holders, barred=barred)
    wrong = unsettled(ruleset.actions, ground, authors)
    if wrong and people:
        raise HandrailError(Code.HOME_INVALID, f"{wrong[0].place}: {wrong[0].what}; see handrail person list")
    return tuple(f"{one.place}: {one.what}" for one in wrong)


def _lowered(tx: PublishTransaction, ruleset: Ruleset) -> tuple[str, ...]:
    """Levels that are lower than the home says, and stay so."""
    return tuple(
        f"{one.use_case}: {kind.value} stays at {lowered.level.value} (the home says {level.autonomy.value})"
        for one in tx.autonomy.all()
        if one.use_case in ruleset.use_cases
        for kind, lowered in sorted(one.levels.items())
        if (level := ruleset.use_cases[one.use_case].levels.get(kind)) and is_below(lowered.level, level.autonomy)
    )


def _require_routes(tx: PublishTransaction, ruleset: Ruleset, releases: list[Digest]) -> None:
    """What goes on answering must be able to: with none of its providers left it would refuse every customer."""
    for each in releases:
        release = tx.releases.get(each)
        known = {target.provider for target in release.route}
        if known and not known & ruleset.providers.keys():
            raise HandrailError(
                Code.HOME_INVALID,
                f"release {each[:12]} of {release.use_case} goes on answering, and its route knows only "
                f"{', '.join(sorted(known))}: keep that provider until the release is replaced",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """`expected`: the ruleset the caller saw in force, so that two people cannot overwrite each other unseen; leave it
    out to publish over whatever is there."""

    ids: Ids
    compiled: Compiled
    token: str | None = None
    expected: Digest | None = None

    def __call__(self, tx: PublishTransaction) -> Published:
        """Raises HandrailError NOT_ALLOWED, TOKEN_INVALID, LOST_RACE, or HOME_INVALID for a route that nobody could
        settle, or a provider that is gone while a release that goes on answering is routed to it."""
        by = acting(tx, self.token, Act.PUBLISH)
        alone = _unsettled(tx, self.compiled.ruleset, by)
        lowered = _lowered(tx, self.compiled.ruleset)
        before = tx.rulesets.current()
        live = tx.releases.live()
        name = digest(self.compiled.ruleset)
        wanted = {use_case: digest(release) for use_case, release in self.compiled.releases.items()}
        at_ms = tx.now_ms
        if self.expected is not None:
            tx.rulesets.set_current(self.expected, expected=self.expected, at_ms=at_ms)
        moves: dict[UseCaseId, Digest | None] = {
            use_case: each for use_case, each in wanted.items() if live.get(use_case) != each
        }
        moves |= dict.fromkeys(sorted(live.keys() - wanted.keys()))
        drafts = {use_case: each for use_case, each in moves.items() if each and self._ramped(use_case, live)}
        moves = {use_case: each for use_case, each in moves.items() if use_case not in drafts}
        staying = [live[use_case] for use_case in drafts]
        for one in tx.rollouts.all(None, frozenset({State.CANARY})):
            if one.use_case not in moves:
                staying.append(one.release)
        _require_routes(tx, self.compiled.ruleset, staying)
        drafts = {use_case: each for use_case, each in drafts.items() if self._fresh(tx, each)}
        if name == before and not moves and not drafts:
            return Published(epoch=None, ruleset=name, ruleset_changed=False, unsettled=alone, lowered=lowered)
        epoch = tx.bump_epoch()
        new = self._keep(tx, wanted, by, at_ms, name)
        went_back = {use_case: why for use_case, each in drafts.items() if (why := self._went_back(tx, each))}
        for use_case, each in drafts.items():
            desk.draft(tx, self.ids, each, use_case, by)
        for use_case, move in moves.items():
            desk.end_canary(tx, self.ids, use_case, by, "another release went live at once")
            tx.releases.set_live(use_case, move, expected=live.get(use_case), at_ms=at_ms)
            self._live(tx, use_case, move, live.get(use_case), by, name)
        if name != before:
            self._ruleset(tx, name, before, by, epoch)
        return Published(
            epoch=epoch,
            ruleset=name,
            ruleset_changed=name != before,
            new_releases=new,
            went_live=moves,
            drafted=drafts,
            went_back=went_back,
            unsettled=alone,
            lowered=lowered,
        )

    def _ramped(self, use_case: UseCaseId, live: dict[UseCaseId, Digest]) -> bool:
        case = self.compiled.ruleset.use_cases.get(use_case)
        return case is not None and case.ramp is not None and use_case in live

    def _fresh(self, tx: PublishTransaction, release: Digest) -> bool:
        """Whether it is to become a draft: it is none yet, and no further."""
        known = tx.rollouts.find(release)
        return known is None or known.state in OVER

    def _went_back(self, tx: PublishTransaction, release: Digest) -> str:
        """Why it was rolled back when it was tried last; empty: it was not."""
        known = tx.rollouts.find(release)
        if known is None or known.state is not State.ROLLED_BACK:
            return ""
        return known.reached.sentence if known.reached is not None else "without a verdict against it."

    def _keep(
        self, tx: PublishTransaction, wanted: dict[UseCaseId, Digest], by: Actor, at_ms: int, ruleset: Digest
    ) -> tuple[Digest, ...]:
        new = []
        for use_case, each in wanted.items():
            release: Release = self.compiled.releases[use_case]
            if tx.releases.put(each, release, by=by, at_ms=at_ms):
                new.append(each)
                facts = ReleaseFacts(release=each, author=by.id)
                tx.append(self._entry(EntryKind.RELEASE_PUBLISHED, tx, by, each, facts, ruleset, use_case, each))
        return tuple(new)

    def _live(
        self,
        tx: PublishTransaction,
        use_case: UseCaseId,
        each: Digest | None,
        before: Digest | None,
        by: Actor,
        ruleset: Digest,
    ) -> None:
        author = tx.releases.author(each).id if each is not None else ""
        facts = ReleaseFacts(release=each, before=before, author=author)
        tx.append(self._entry(EntryKind.RELEASE_LIVE, tx, by, use_case, facts, ruleset, use_case, each))

    def _ruleset(self, tx: PublishTransaction, name: Digest, before: Digest | None, by: Actor, epoch: int) -> None:
        ruleset = self.compiled.ruleset
        tx.rulesets.put(name, ruleset, by=by, at_ms=tx.now_ms)
        tx.rulesets.set_current(name, expected=before, at_ms=tx.now_ms)
        facts = RulesetFacts(
            ruleset=name,
            before=before,
            use_cases=tuple(ruleset.use_cases),
            author=tx.rulesets.author(name).id,
            epoch=epoch,
        )
        tx.append(self._entry(EntryKind.RULESET_PUBLISHED, tx, by, name, facts, name, None, None))

    def _entry(
        self,
        kind: EntryKind,
        tx: PublishTransaction,
        by: Actor,
        about: str,
        facts: msgspec.Struct,
        ruleset: Digest,
        use_case: UseCaseId | None,
        release: Digest | None,
    ) -> Entry:
        return Entry(
            id=EntryId(self.ids.new("en")),
            kind=kind,
            at_ms=tx.now_ms,
            actor=by,
            facts=facts,
            about=about,
            use_case=use_case,
            ruleset=ruleset,
            release=release,
        )
