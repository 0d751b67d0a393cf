"""One interaction: reading it with a reason, revealing one value, judging findings, a test of it, its proof."""

from dataclasses import replace

from handrail.console.answers import Again, File, Go
from handrail.console.here import Here
from handrail.console.keys import Does, Key
from handrail.console.read_before import read_before
from handrail.console.record_ports import Expectation
from handrail.console.refusals import told_why
from handrail.console.routes import EVERYONE, Asked, Route, Verb
from handrail.console.views.interaction import Interaction, Read, interaction
from handrail.console.views.interaction_talk import Turn, masks_of, payload_of
from handrail.console.views.interaction_test import Test, drafting
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.ledger.erase import reference
from handrail.ledger.read import Query, Shown, interaction_facts
from handrail.people.authorise import MAY, Act
from handrail.review.flags import Mistake, RaiseFlag, WithdrawFlag
from handrail.review.reading import PayloadReadFacts, RecordReading, RevealFacts
from handrail.review.verdicts import Judge, Word
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import InteractionId

PATH = "/interactions"
MOST = 50
"""Interactions of one conversation on its page, the latest."""
FORM = frozenset({Code.REQUEST_INVALID})


class ShowAsked(Asked, frozen=True, kw_only=True):
    id: str


class ReadAsked(Asked, frozen=True, kw_only=True):
    """`reason`: a reference such as `ticket 4711`."""

    id: str
    reason: str = ""


class RevealAsked(Asked, frozen=True, kw_only=True):
    """`mask`: the token of one value."""

    id: str
    mask: str = ""
    reason: str = ""


class JudgeAsked(Asked, frozen=True, kw_only=True):
    id: str
    finding: int
    word: Word
    note: str = ""


class FlagAsked(Asked, frozen=True, kw_only=True):
    """`note`: a reference such as `ticket 4711`, or empty."""

    id: str
    mistake: Mistake
    note: str = ""


class TestAsked(Asked, frozen=True, kw_only=True):
    """`finding`: its place; -1: none in particular."""

    id: str
    finding: int = -1


class DraftAsked(TestAsked, frozen=True, kw_only=True):
    """`must`: yes, no. `as_file`: yes: as a download."""

    reason: str = ""
    must: str = ""
    as_file: str = ""


async def show(visitor: Visitor, asked: ShowAsked, here: Here) -> Interaction:
    return await _view(visitor, asked.id, here)


async def read(visitor: Visitor, asked: ReadAsked, here: Here) -> Go | Again:
    """The reason is recorded for each interaction of the conversation before a word of it is shown."""
    try:
        reason = reference(asked.reason)
    except HandrailError as problem:
        error = told_why(problem, here.words)
        return Again(await _view(visitor, asked.id, here, error=error, typed=asked.reason), "interaction.html")
    shown = await here.ports.reader.show(InteractionId(asked.id))
    page = await here.ports.reader.find(Query(conversation=interaction_facts(shown.recorded).conversation, limit=MOST))
    names = dict.fromkeys([InteractionId(asked.id), *(one.interaction for one in page.found)])
    reads = [PayloadReadFacts(name, reason) for name in names]
    await here.ports.journal.run(RecordReading(ids=here.ports.ids, reads=reads, token=visitor.token))
    return Go(f"{PATH}/{asked.id}#conversation", here.words("Recorded: you read this, and why."))


async def reveal(visitor: Visitor, asked: RevealAsked, here: Here) -> Interaction | Again:
    """One value, once: the answer to this form is the only page that holds it."""
    try:
        reason = reference(asked.reason)
    except HandrailError as problem:
        error = told_why(problem, here.words)
        made = await _view(visitor, asked.id, here, mask_error=error, typed=asked.reason, mask=asked.mask)
        return Again(made, "interaction.html")
    shown = await here.ports.reader.show(InteractionId(asked.id))
    payload = payload_of(shown.payload)
    value = payload.tokens.get(asked.mask) if payload is not None else None
    if value is None:
        raise HandrailError(Code.NOT_FOUND, "this value is not there any more: it was erased, or never kept")
    facts = RevealFacts(InteractionId(asked.id), reason, asked.mask)
    await here.ports.journal.run(RecordReading(ids=here.ports.ids, reads=[facts], token=visitor.token))
    turn = Turn(
        id=asked.id, at_ms=shown.recorded.at_ms, facts=interaction_facts(shown.recorded), payload=payload
    )  # fmt: skip
    label = next((one.label for one in masks_of(turn, here.words) if one.token == asked.mask), "")
    return await _view(visitor, asked.id, here, revealed=value, revealed_label=label)


async def judge(visitor: Visitor, asked: JudgeAsked, here: Here) -> Go:
    command = Judge(
        ids=here.ports.ids, interaction=InteractionId(asked.id), finding=asked.finding, word=asked.word,
        note=asked.note, token=visitor.token,
    )  # fmt: skip
    done = await here.ports.journal.run(command)
    said = N_("Marked as right. It counts for this kind.") if done.word is Word.RIGHT else N_(
        "Marked as wrong. Turn it into a test, so that it does not come again."
    )  # fmt: skip
    return Go(f"{PATH}/{asked.id}#finding-{asked.finding}", here.words(said))


async def flag(visitor: Visitor, asked: FlagAsked, here: Here) -> Go | Again:
    command = RaiseFlag(
        ids=here.ports.ids, interaction=InteractionId(asked.id), mistake=asked.mistake, note=asked.note.strip(),
        token=visitor.token,
    )  # fmt: skip
    try:
        await here.ports.journal.run(command)
    except HandrailError as problem:
        if problem.code not in FORM | {Code.ALREADY}:
            raise
        error = told_why(problem, here.words)
        return Again(await _view(visitor, asked.id, here, flag_error=error), "interaction.html")
    return Go(f"{PATH}/{asked.id}#flags", here.words(N_("Flagged. It counts for the release that answered.")))


async def unflag(visitor: Visitor, asked: ShowAsked, here: Here) -> Go:
    await here.ports.journal.run(
        WithdrawFlag(ids=here.ports.ids, interaction=InteractionId(asked.id), token=visitor.token)
    )
    return Go(f"{PATH}/{asked.id}#flags", here.words(N_("Your flag is taken back.")))


async def test(visitor: Visitor, asked: TestAsked, here: Here) -> Test:
    return await _test(visitor, asked, here)


async def draft(visitor: Visitor, asked: DraftAsked, here: Here) -> Test | File | Again:
    """Each text that goes into it is recorded as read, under the same reason."""
    shown = await here.ports.reader.show(InteractionId(asked.id))
    findings = interaction_facts(shown.recorded).findings
    expect = None
    if 0 <= asked.finding < len(findings):
        fact = findings[asked.finding]
        expect = Expectation(kind=fact.kind, side=fact.side, must=asked.must == "yes")
    try:
        made = await here.ports.talks.draft(
            InteractionId(asked.id), reason=asked.reason, token=visitor.token, expect=expect
        )
    except HandrailError as problem:
        if problem.code not in FORM:
            raise
        return Again(await _test(visitor, asked, here, told_why(problem, here.words)), "interaction/test.html")
    if asked.as_file:
        return File(made.name, "application/yaml; charset=utf-8", made.text.encode())
    return replace(await _test(visitor, asked, here), drafted=made)


async def proof(visitor: Visitor, asked: ShowAsked, here: Here) -> File:
    """The file that anybody can check: the entry's facts, its place in the tree, the signed checkpoint."""
    shown = await here.ports.reader.show(InteractionId(asked.id))
    return File(f"{asked.id}.tlog-proof", "application/octet-stream", here.ports.log.proof(shown))


async def _test(visitor: Visitor, asked: TestAsked, here: Here, error: str = "") -> Test:
    shown = await here.ports.reader.show(InteractionId(asked.id))
    judged = await here.ports.verdicts.of([InteractionId(asked.id)])
    reason = asked.reason if isinstance(asked, DraftAsked) else ""
    must = asked.must if isinstance(asked, DraftAsked) else ""
    return drafting(
        interaction_facts(shown.recorded), here.words, finding=asked.finding, judged=judged, person=visitor.person,
        reason=reason, must=must, error=error, path=PATH,
    )  # fmt: skip


async def _view(visitor: Visitor, name: str, here: Here, **more: object) -> Interaction:
    ports = here.ports
    shown = await ports.reader.show(InteractionId(name))
    facts = interaction_facts(shown.recorded)
    page = await ports.reader.find(Query(conversation=facts.conversation, limit=MOST))
    granted = await _granted(visitor, here)
    names = [one.interaction for one in page.found]
    turns = []
    for one in sorted({*names, facts.interaction}):
        each = shown if one == facts.interaction else await ports.reader.show(one)
        turns.append(_turn(each, one in granted))
    turns.sort(key=lambda turn: (turn.at_ms, turn.id))
    seen = Read(
        shown=shown, facts=facts, turns=turns, more=page.cursor is not None,
        acts=await ports.talks.acts(facts.conversation), outcomes=await ports.talks.outcomes(facts.conversation),
        judged=await ports.verdicts.of([facts.interaction]), flags=await ports.verdicts.flags([facts.interaction]),
        tallies=await ports.verdicts.tallies(facts.use_case),
        names={one.id: one.name for one in await ports.people.persons()}, rules=here.ruleset, keys=ports.log.keys(),
    )  # fmt: skip
    return interaction(seen, here.words, visitor, marks=ports.talks.marks, path=PATH, **more)


def _turn(shown: Shown, granted: bool) -> Turn:
    facts = interaction_facts(shown.recorded)
    missing = shown.missing if shown.payload is None else ("" if granted else "unread")
    return Turn(
        id=facts.interaction, at_ms=shown.recorded.at_ms, facts=facts,
        payload=payload_of(shown.payload) if granted else None, missing=missing,
    )  # fmt: skip


async def _granted(visitor: Visitor, here: Here) -> set[str]:
    """Interactions whose words this person may see now: she gave a reason for each a short while ago, which the ledger
    holds. Nothing for who may not read, whatever was recorded while she might."""
    if not visitor.roles & MAY[Act.READ_PAYLOAD]:
        return set()
    return {one.interaction for one in await read_before(visitor, here) if one.interaction and not one.mask}


ROUTES = (
    Route(
        name="interactions.show", path="/interactions/{id}", title=N_("Interaction"), handler=show, asks=ShowAsked,
        roles=EVERYONE, template="interaction.html",
    ),
    Route(
        name="interactions.read", path="/interactions/{id}/read", title=N_("Interaction"), verb=Verb.POST, handler=read,
        asks=ReadAsked, roles=MAY[Act.READ_PAYLOAD], template="interaction.html",
    ),
    Route(
        name="interactions.reveal", path="/interactions/{id}/reveal", title=N_("Interaction"), verb=Verb.POST,
        handler=reveal, asks=RevealAsked, roles=MAY[Act.READ_PAYLOAD], template="interaction.html",
    ),
    Route(
        name="interactions.judge", path="/interactions/{id}/judge", title=N_("Interaction"), verb=Verb.POST,
        handler=judge, asks=JudgeAsked, roles=MAY[Act.JUDGE], template="interaction.html",
    ),
    Route(
        name="interactions.flag", path="/interactions/{id}/flag", title=N_("Flag a mistake"), verb=Verb.POST,
        handler=flag, asks=FlagAsked, roles=MAY[Act.FLAG], template="interaction.html",
    ),
    Route(
        name="interactions.unflag", path="/interactions/{id}/unflag", title=N_("Flag a mistake"), verb=Verb.POST,
        handler=unflag, asks=ShowAsked, roles=MAY[Act.FLAG], template="interaction.html",
    ),
    Route(
        name="interactions.test", path="/interactions/{id}/test", title=N_("A test of a conversation"), handler=test,
        asks=TestAsked, roles=MAY[Act.READ_PAYLOAD], template="interaction/test.html",
    ),
    Route(
        name="interactions.draft", path="/interactions/{id}/test", title=N_("A test of a conversation"),
        verb=Verb.POST, handler=draft, asks=DraftAsked, roles=MAY[Act.READ_PAYLOAD], template="interaction/test.html",
    ),
    Route(
        name="interactions.proof", path="/interactions/{id}/proof", title=N_("Proof"), handler=proof, asks=ShowAsked,
        roles=EVERYONE,
    ),
)  # fmt: skip
KEYS = (
    Key(name="interactions.right", keys=("c",), label=N_("This finding is correct")),
    Key(name="interactions.wrong", keys=("w",), label=N_("This finding is wrong")),
    Key(name="interactions.flag", keys=("f",), label=N_("Flag a mistake")),
    Key(name="interactions.test", keys=("t",), label=N_("Make a test of it")),
    Key(name="interactions.reason", keys=("e",), label=N_("Give a reason to read"), does=Does.FOCUS),
)
