"""The posts of a release's ramp, and what is counted on it; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from handrail.console.views.releases_chart import evidence_said
from handrail.console.views.releases_words import units_of
from handrail.console.words import N_, Words
from handrail.policy.ramp import HeldOut, Ramp, UnitKind
from handrail.releases.judge import Conclusion
from handrail.releases.lifecycle import Rollout, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A post of the rail. `tone`: done, now, stop, or empty."""

    tone: str
    title: str
    said: str
    least: str


def rail(rollout: Rollout | None, ramp: Ramp | None, words: Words) -> tuple[Stop, ...]:
    if ramp is None:
        return ()
    green = rollout is not None and rollout.tested is not None and not rollout.tested.failed
    found = [Stop(tone="done" if green else "", title=words(N_("Tests")), least="",
                  said=words(N_("passed")) if green else words(N_("not green yet")))]  # fmt: skip
    state = None if rollout is None else rollout.state
    at = -1 if rollout is None else rollout.stage
    for number, stage in enumerate(ramp.stages):
        if state is State.CANARY:
            tone = "done" if number < at else "now" if number == at else ""
        elif state is State.ROLLED_BACK:
            tone = "done" if number < at else "stop" if number == at else ""
        else:
            tone = "done" if state in (State.LIVE, State.RETIRED) and 0 <= number <= at else ""
        said = {
            "done": N_("done"), "now": N_("now"), "stop": N_("stopped"), "": N_("not run"),
        }[tone]  # fmt: skip
        least = " · ".join(
            [words.plural("{n} unit", "{n} units", stage.least_units)] * bool(stage.least_units)
            + [words.lasting(int(stage.least_minutes * 60_000))] * bool(stage.least_minutes)
        )
        title = words.percent(stage.share, 0 if stage.share >= 0.01 else 1)
        found.append(
            Stop(
                tone=tone, title=f"{title} *" if stage.pilot else title, said=words(said),
                least=words(N_("at least {least}"), least=least) if least else "",
            )
        )  # fmt: skip
    live = state is State.LIVE
    found.append(Stop(tone="done" if live else "", title=words(N_("All")), least="",
                      said=words(N_("live")) if live else words(N_("not run"))))  # fmt: skip
    return tuple(found)


def facts(
    rollout: Rollout | None,
    counts: Sequence[tuple[int, str, int, int]] | None,
    ramp: Ramp | None,
    told: Conclusion | None,
    words: Words,
) -> tuple[tuple[str, str], ...]:
    """`counts`: None while units are still being counted."""
    if rollout is None or ramp is None:
        return ()
    found: list[tuple[str, str]] = []
    sums = {arm: [0, 0] for arm in ("canary", "control", "pilot")}
    for _, arm, units, judged in counts or ():
        if arm in sums:
            sums[arm][0] += units
            sums[arm][1] += judged
    if rollout.ramp is not None:
        for arm, label in (("canary", N_("Served by it")), ("control", N_("Compared with"))):
            said = words(N_("being counted")) if counts is None else words(
                N_("{units} judged"), units=units_of(rollout, sums[arm][1], words)
            )  # fmt: skip
            found.append((words(label), said))
        if sums["pilot"][0]:
            found.append((words(N_("Pilot, not compared")), units_of(rollout, sums["pilot"][0], words)))
        if told is not None:
            found.append((
                words(N_("Evidence")),
                words(N_("{n}, goes back at {limit}"), n=evidence_said(told.log_e, words),
                      limit=words.number(round(1 / ramp.alpha))),
            ))  # fmt: skip
            wrong = told.share_wrong_at
            found.append((
                words(N_("Share check")),
                words(N_("The draw gives canaries as often as it says.")) if wrong is None
                else words(N_("Wrong, seen at unit {n}: the ramp stands still."), n=words.number(wrong)),
            ))  # fmt: skip
    kept = N_("At random, kept per customer and week") if ramp.unit is UnitKind.CUSTOMER_WEEK else N_(
        "At random, kept per conversation"
    )  # fmt: skip
    found.append((words(N_("Who gets it")), words(kept)))
    if ramp.hold_out:
        by = N_("{share} never meet the AI") if ramp.hold_out_by is HeldOut.HANDOVER else N_(
            "{share} stay on the release before"
        )  # fmt: skip
        found.append((words(N_("Hold-out")), words(by, share=words.percent(ramp.hold_out, 1))))
    else:
        found.append((words(N_("Hold-out")), words(N_("none is declared"))))
    if any(stage.pilot for stage in ramp.stages):
        found.append(("*", words(N_("a pilot: only some see it, and nobody is compared"))))
    return tuple(found)


def next_of(rollout: Rollout | None, ramp: Ramp | None, words: Words) -> str:
    """For the dialogs of a start and of the next step: whom it reaches then."""
    if rollout is None or ramp is None:
        return ""
    at = rollout.stage + 1 if rollout.state is State.CANARY else 0
    if rollout.state is not State.CANARY and rollout.state not in (State.TESTED, State.SIGNED_OFF):
        return ""
    if at >= len(ramp.stages):
        return ""
    share = words.percent(ramp.stages[at].share, 0 if ramp.stages[at].share >= 0.01 else 1)
    if rollout.state is State.CANARY:
        now = words.percent(rollout.share, 0 if rollout.share >= 0.01 else 1)
        return words(N_("From {now} to {share} of new conversations."), now=now, share=share)
    return words(N_("It gets {share} of new conversations."), share=share)
