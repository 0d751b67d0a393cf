"""What this visitor may do with a release now, and, where somebody else must, why; pure. The commands decide again in
their own transactions: this only keeps away what would be refused."""

from collections.abc import Mapping
from dataclasses import dataclass

from handrail.console.views.frame import ROLE_NAMES
from handrail.console.visitor import Visitor
from handrail.console.words import N_, Words
from handrail.people.authorise import MAY, Act
from handrail.people.role import Role
from handrail.policy.ramp import Ramp
from handrail.releases.judge import Conclusion, Verdict
from handrail.releases.lifecycle import Rollout, State

REASONS = {
    "harm": N_("Customers are harmed"),
    "answers": N_("Answers are wrong or unsafe"),
    "figures": N_("Figures look wrong"),
    "cost": N_("It costs or takes too much"),
    "plan": N_("Plans changed"),
    "drill": N_("A drill"),
}
"""Why a person rolls back: ours to say, so that nobody's words about a customer stand in the ledger for ever."""
WHY = {
    "harm": "customers are harmed", "answers": "answers are wrong or unsafe", "figures": "figures look wrong",
    "cost": "it costs or takes too much", "plan": "plans changed", "drill": "a drill",
}  # fmt: skip
"""The same as it stands in the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A button. `dialog`: whether it asks first. `why_not`: who can, or what has to come before; empty: it is legal."""

    name: str
    label: str
    kind: str
    icon: str
    key: str
    dialog: bool
    said: str
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignBox:
    """One role that must agree. `mine`: this visitor may sign for it now."""

    role: str
    title: str
    by: str
    at_ms: int | None
    said: str
    mine: bool


LABELS = {
    "start": (N_("Start the canary"), "pri", "canary"),
    "advance": (N_("Next step"), "", "canary"),
    "promote": (N_("Make it live for everyone"), "pri", "check"),
    "freeze": (N_("Hold the ramp"), "", "pause"),
    "thaw": (N_("Let it go on"), "", "canary"),
    "rollback": (N_("Roll back"), "danger", "undo"),
    "retire": (N_("Give up this draft"), "", "x"),
}
SAID = {
    "start": N_("New customers get it from now on, at the share of the first step; the rest stay on what is live."),
    "advance": N_("More new customers get it, at the share of the next step. Nobody who got it loses it."),
    "promote": N_("Every new conversation gets it from now on. Running ones end on the release they began on."),
    "freeze": N_("It falls back to the share of its first step and stays there until somebody lets it go on."),
    "thaw": N_("It goes on from its first step, with the evidence it has."),
    "rollback": N_("What was live before answers every new conversation from now on."),
    "retire": N_("Nobody was ever answered by it. It can be drafted again."),
}
KEYED = {
    "rollback": "releases.rollback", "start": "releases.go", "advance": "releases.go", "promote": "releases.promote",
}  # fmt: skip
ACTS = {
    "start": Act.RELEASE, "advance": Act.RELEASE, "promote": Act.RELEASE, "thaw": Act.RELEASE,
    "freeze": Act.ROLL_BACK, "rollback": Act.ROLL_BACK, "retire": Act.PUBLISH,
}  # fmt: skip
SIGNABLE = frozenset({State.TESTED, State.SIGNED_OFF})
"""The latter where its use case asks for one more role since."""
PROMISING = frozenset({Verdict.SAFE, Verdict.BETTER})
ASKS = frozenset({"start", "advance", "promote", "rollback", "retire"})


def moves_of(
    rollout: Rollout,
    ramp: Ramp | None,
    visitor: Visitor,
    first_author: str,
    barred: str,
    told: Conclusion | None,
    words: Words,
) -> tuple[Move, ...]:
    """Those that its state allows. `ramp`: in force for its use case. `first_author`: who published it first. `barred`:
    what keeps any release of the use case from going on. `told`: by its evidence so far."""
    found = []
    for name in _possible(rollout, ramp):
        label, kind, icon = LABELS[name]
        if name == "promote" and (told is None or told.verdict not in PROMISING):
            kind = ""  # legal, but not what its evidence suggests
        found.append(
            Move(
                name=name,
                label=words(label),
                kind=kind,
                icon=icon,
                key=KEYED.get(name, ""),
                dialog=name in ASKS,
                said=words(SAID[name]),
                why_not=_why_not(name, rollout, ramp, visitor, first_author, barred, words.now_ms, words),
            )
        )
    primary = next((one for one in found if one.kind == "pri" and not one.why_not), None)
    return tuple(found if primary is None else [primary, *(one for one in found if one is not primary)])


def dialogs_of(visitor: Visitor, words: Words) -> tuple[tuple[str, str, str, str], ...]:
    """(name, label, kind, what it does) of the moves that ask first and that her roles may make."""
    return tuple(
        (name, words(label), kind, words(SAID[name]))
        for name, (label, kind, _) in LABELS.items()
        if name in ASKS and visitor.roles & MAY[ACTS[name]]
    )


def _possible(rollout: Rollout, ramp: Ramp | None) -> list[str]:
    match rollout.state:
        case State.DRAFT | State.TESTED | State.SIGNED_OFF:
            ready = rollout.state is not State.DRAFT and ramp is not None and not unsigned(rollout, ramp)
            return (["start"] if ready else []) + ["retire"]
        case State.CANARY:
            assert rollout.ramp is not None
            on = [] if rollout.frozen or rollout.stage + 1 >= len(rollout.ramp.stages) else ["advance"]
            return [*on, "promote", "thaw" if rollout.frozen else "freeze", "rollback"]
        case State.LIVE:
            return ["rollback"] if rollout.control is not None else []
        case _:
            return []


def unsigned(rollout: Rollout, ramp: Ramp) -> list[str]:
    """Roles that have not agreed yet."""
    done = {one.role for one in rollout.sign_offs}
    return [role for role in ramp.sign_offs if role not in done]


def _why_not(
    name: str, rollout: Rollout, ramp: Ramp | None, visitor: Visitor, first_author: str, barred: str, now_ms: int,
    words: Words,
) -> str:  # fmt: skip
    act = ACTS[name]
    if not visitor.roles & MAY[act]:
        roles = ", ".join(words(ROLE_NAMES[role.value]) for role in Role if role in MAY[act])
        return words(N_("Your roles cannot do this; open to: {roles}."), roles=roles)
    if act is Act.RELEASE and visitor.person in (rollout.author, first_author):
        return words(N_("You wrote this release, so another person does this."))
    if name in ("start", "advance", "promote") and barred:
        return barred
    if name == "promote" and rollout.reached is not None and rollout.reached.verdict == "worse":
        return words(N_("It was shown to be worse."))
    if name == "advance" and rollout.ramp is not None:
        due = rollout.stage_at + rollout.ramp.stages[rollout.stage].least_minutes * 60_000
        if now_ms < due:
            return words(N_("This step has not run for its least time; it may go on {when}."), when=words.ago(int(due)))
    return ""


def sign_boxes(
    rollout: Rollout, ramp: Ramp | None, visitor: Visitor, first_author: str, names: Mapping[str, str], words: Words
) -> tuple[SignBox, ...]:
    """Side by side: who agreed, and who may still; never the author, and nobody for two roles."""
    plan = ramp if rollout.ramp is None else rollout.ramp
    if plan is None:
        return ()
    done = {one.role: one for one in rollout.sign_offs}
    author = visitor.person in (rollout.author, first_author)
    signed = visitor.person in {one.person for one in rollout.sign_offs}
    found = []
    for role in plan.sign_offs:
        known = done.get(role)
        has = role in {each.value for each in visitor.roles}
        mine = known is None and rollout.state in SIGNABLE and has and not author and not signed
        found.append(
            SignBox(
                role=role,
                title=words(ROLES.get(role, role)),
                by=names.get(known.person, known.person) if known else "",
                at_ms=known.at_ms if known else None,
                mine=mine,
                said="" if known or mine else _waits(rollout, has, author, signed, words),
            )
        )
    return tuple(found)


def _waits(rollout: Rollout, has: bool, author: bool, signed: bool, words: Words) -> str:
    if rollout.state is State.DRAFT:
        return words(N_("Opens once its tests are green."))
    if rollout.state not in SIGNABLE:
        return words(N_("Was not asked for."))
    if has and author:
        return words(N_("You wrote this release, so another person signs."))
    if has and signed:
        return words(N_("You signed for another role, so another person signs here."))
    return words(N_("Waits for somebody with this role who did not write it."))


ROLES = {"owner": N_("Owner (CX)"), "compliance": N_("Compliance")}
