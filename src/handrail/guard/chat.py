"""One interaction, start to finish: the numbered steps, in order.

1. `open`: nothing where a stop is in force; else count the request against its budget, find the conversation.
2. `check`: screen what goes to the model and decide.
3. A block or a hand-over answers with its sentence; a refusal is an error in the client's dialect.
4. `announce`: the opened entry is queued (not awaited), so that a crash leaves a trace.
5. `ask`: mask every message the same way every turn, then the model, falling back only before the first token.
6. `weigh`: screen the answer and decide; a stop that began meanwhile refuses it.
7. `finish`: the full entry is durable (strict) or taken by the bounded queue (relaxed) before the last byte leaves.
8. The answer goes back, tokens restored for the audience that may see them.

Streams share 1 to 5 and 7; the rest of them is `guard.stream`. Fails closed: a detector that cannot answer leads to
what the use case declares (by default a refusal), a journal that cannot commit to a refusal, whatever the model said.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from handrail.guard.assigned import assigned
from handrail.guard.budgets import Budgets
from handrail.guard.caller import Caller, choices_for, stop_of
from handrail.guard.disclosure import Told
from handrail.guard.opening import opening
from handrail.guard.ports import Model, ModelCalls, References, Threads
from handrail.guard.record import Draft, signs
from handrail.guard.rewrite import changed, context, masked
from handrail.guard.route import Asked, ask
from handrail.guard.screen import Memo, Screened, Screener, Setting, screen
from handrail.guard.turn import Answer, Face, Message, ReplyIds, Turn, Usage
from handrail.guard.weighed import decided, held_out, raised
from handrail.in_force.snapshot import InForce
from handrail.ledger.entry import Entry, InteractionFacts
from handrail.ledger.store import Journal
from handrail.policy.evaluate import Decision, Found, Side
from handrail.policy.ruleset import Durability, Mode, PromptMode
from handrail.terms.clock import Clock
from handrail.terms.decision import Outcome, Reason
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Finding, Kind, Role
from handrail.terms.ids import Digest, EntryId, Ids, InteractionId, UseCaseId

REFERENCE_KIND = "client-prompt:"
"""A client's prompt is remembered among the references by its keyed hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """What an interaction needs from the world."""

    model: Model
    threads: Threads
    journal: Journal
    references: References
    model_calls: ModelCalls
    screener: Screener
    budgets: Budgets
    memo: Memo
    clock: Clock
    ids: Ids
    in_force: InForce


class Call(msgspec.Struct, frozen=True):
    """One request of a known caller."""

    caller: Caller
    face: Face
    turn: Turn
    interaction: InteractionId
    started: float  # monotonic seconds


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back. `disclosure`: when this is the conversation's first interaction. `probed`: for a probe, what the
    net saw and did."""

    body: bytes
    outcome: Outcome
    ids: ReplyIds
    stream: bool = False
    disclosure: Told | None = None
    probed: InteractionFacts | None = None


class RefusedError(Exception):
    """An interaction that ended in an error. `error`: what the client is told. `begun`: False when it was refused
    before there was an interaction, so no entry tells of it and the caller must count it."""

    def __init__(self, error: HandrailError, ids: ReplyIds, *, begun: bool = True) -> None:
        super().__init__(error.message)
        self.error = error
        self.ids = ids
        self.begun = begun


class Chat:
    """Answers calls. Holds no state of its own besides the prompts it knows to be recorded. `told`: hears the facts of
    every finished interaction (for counters and spans; they hold no personal data). `status`: with which HTTP status an
    error goes back, as the facts say it."""

    def __init__(
        self, net: Net, status: Callable[[HandrailError], int], told: Callable[[InteractionFacts], None] | None = None
    ) -> None:
        self.net = net
        self._status = status
        self._told = told
        self._prompts: set[tuple[UseCaseId, Digest]] = set()

    async def answer(self, call: Call) -> Reply:
        """One whole answer. Raises RefusedError; CancelledError when the client left, which is recorded."""
        draft = await self.open(call)
        try:
            decision = await self.check(call, draft)
            if decision.outcome is not Outcome.ANSWERED:
                return await self.speak(call, draft, decision)
            self.announce(draft)
            asked = await self.ask(call, draft)
            answer = call.face.answer(asked.body or b"", call.turn)
            decision = self.weigh(draft, answer)
            self.still_allowed(draft)
            if decision.outcome is not Outcome.ANSWERED:
                return await self.speak(call, draft, decision)
            body, history = self.released(call, draft, answer)
            draft.outcome, draft.status = Outcome.ANSWERED, 200
            await self.finish(draft, history, answer.reference)
            return self.reply(draft, body)
        except HandrailError as error:
            raise await self.refused(draft, error) from error
        except asyncio.CancelledError:
            self.cancelled(draft)
            raise
        except Exception as mistake:  # noqa: BLE001  a mistake of ours must refuse, recorded, and not pass
            raise await self.refused(draft, broken(mistake)) from None

    async def open(self, call: Call) -> Draft:
        """Step 1. Raises RefusedError with no interaction written when the budget is used up or storage is away."""
        net, caller, turn = self.net, call.caller, call.turn
        use_case, history = caller.use_case, history_of(turn.messages)
        if caller.stopped:
            raise RefusedError(_stopped(caller.stopped), ReplyIds(call.interaction, None), begun=False)
        noted: tuple[Reason, ...] = ()
        try:
            try:
                if not caller.probe:
                    net.budgets.admit(use_case, caller.time_zone)
            except HandrailError as error:
                if use_case.mode is not Mode.OBSERVE:
                    raise
                noted = (Reason(error.code.value),)
            conversation = turn.conversation
            if conversation is None and turn.follows:
                conversation = await net.references.conversation(
                    use_case=use_case.id, customer=turn.customer, name=turn.follows
                )
            thread = await net.threads.open(
                use_case=use_case.id,
                key_id=caller.key.lineage,
                conversation=conversation,
                customer=turn.customer,
                history=history,
                new_from=len(history) - len(history_of(turn.messages[turn.new_from :])),
            )
            if caller.probe:
                thread = msgspec.structs.replace(thread, release=caller.live.digest, drawn=None)
            elif caller.draws is not None:
                thread, caller = await assigned(caller, caller.draws, net.threads, thread, turn, net.clock.now_ms())
            elif thread.release is None:
                thread = msgspec.structs.replace(thread, release=caller.live.digest)
        except HandrailError as error:
            raise RefusedError(error, ReplyIds(call.interaction, None), begun=False) from error
        draft = Draft(call.interaction, caller, turn, thread, history, call.started, net.clock.now_ms())
        if draft.channel != turn.channel:
            noted = (*noted, Reason("channel.undeclared"))
        if draft.region != turn.region:
            noted = (*noted, Reason("region.undeclared"))
        draft.noted = noted
        return draft

    async def check(self, call: Call, draft: Draft) -> Decision:
        """Step 2. Raises HandrailError for what is refused whatever the text says, and for a refusal of the rules."""
        caller, turn = draft.caller, call.turn
        draft.choices = choices_for(caller, turn.model, call.face.speaks)
        if turn.hosted_tools or turn.references:
            await self._provider_objects(call, draft)
        use_case = caller.use_case
        setting = Setting(
            side=Side.INPUT,
            screener=self.net.screener,
            deadline=self.net.clock.monotonic() + use_case.detector_deadline_ms / 1000,
            links_allowed=use_case.links_allowed,
            under=caller.under,
            subject=draft.thread.subject.id,
        )
        screened = screen(turn.messages, draft.new, setting, self.net.memo, turn.new_from)
        if turn.prompt and caller.live.release.prompt_mode is PromptMode.CLIENT:
            screened = await self._prompt_seen(draft, screened)
        draft.input = decided(caller, screened, screened.language)
        if draft.thread.first:
            keyed = self.net.threads.fingerprint if use_case.watch.topics else None
            draft.opening = opening(turn.messages, screened, caller.intents, keyed)
        decision = raised(draft.input.decision, turn.messages)
        if draft.thread.drawn is not None and decision.outcome is Outcome.ANSWERED:
            return held_out(draft, decision)
        return decision

    def announce(self, draft: Draft) -> None:
        """Step 4. Raises HandrailError JOURNAL_UNAVAILABLE: then the model is not called. A probe is written down at
        its end alone: what broke off counts in no figure either."""
        net = self.net
        if draft.caller.probe:
            return
        net.journal.queue(draft.opened(EntryId(net.ids.new("ent")), draft.started_ms))

    async def ask(self, call: Call, draft: Draft) -> Asked:
        """Step 5. Raises HandrailError: what the last target of the route failed with."""
        draft.changes = masked(draft)
        before = self.net.clock.monotonic()
        try:
            return await ask(self.net.model, call.face, draft)
        finally:
            draft.upstream_ms = int((self.net.clock.monotonic() - before) * 1000)

    def still_allowed(self, draft: Draft) -> None:
        """Raises HandrailError CHAT_STOPPED when a stop that began meanwhile ends this answer. One comparison as long
        as nothing new is in force."""
        now = self.net.in_force.current
        if now is draft.stands_under:
            return
        draft.stands_under = now
        if now is not None and now.stops and draft.choice is not None:
            stop = stop_of(draft.caller, draft.choice.target.provider, now.stops)
            if stop:
                raise _stopped(stop)

    def weigh(self, draft: Draft, answer: Answer) -> Decision:
        """Step 6 for a whole answer. Raises HandrailError for a refusal of the rules."""
        said = 0
        if not answer.usage.output_tokens:
            said = sum([len(leaf.text) for message in answer.messages for leaf in message.leaves])
        self.count(draft, answer.usage, answer.tool_calls, said)
        draft.answer = answer.messages
        screened = screen(answer.messages, (True,) * len(answer.messages), self.answer_setting(draft))
        language = draft.input.screened.language if draft.input else ""
        draft.output = decided(draft.caller, screened, language or screened.language)
        return raised(draft.output.decision, answer.messages, of="the answer")

    def answer_setting(self, draft: Draft) -> Setting:
        """How an answer is read: with the tool results and documents it may rely on, as the model saw them."""
        use_case = draft.caller.use_case
        return Setting(
            side=Side.OUTPUT,
            screener=self.net.screener,
            deadline=self.net.clock.monotonic() + use_case.detector_deadline_ms / 1000,
            links_allowed=use_case.links_allowed,
            canaries=draft.caller.live.release.canaries,
            context=context(draft),
        )

    def count(self, draft: Draft, usage: Usage, tool_calls: int, said: int) -> None:
        """Tokens and cost of the answer, against the budget too; once for each interaction. What the provider did not
        count is estimated: a token for four bytes of the request and for four of the `said` characters."""
        if not (usage.input_tokens and usage.output_tokens):
            usage = Usage(
                usage.input_tokens or len(draft.turn.body) // 4, usage.output_tokens or said // 4, usage.made_by
            )
        draft.usage = usage
        draft.call_tools = tool_calls
        draft.counted = True
        prices = draft.choice.prices if draft.choice else (0, 0)
        draft.cost = usage.input_tokens * prices[0] + usage.output_tokens * prices[1]
        tokens = usage.input_tokens + usage.output_tokens
        if draft.caller.probe:
            return
        self.net.budgets.spend(draft.caller.use_case.id, tokens=tokens, cost_micro_minor=draft.cost)

    def released(self, call: Call, draft: Draft, answer: Answer) -> tuple[bytes, Sequence[bytes]]:
        """Step 8: the answer as the client may see it, and what stands for it in the history."""
        changes = changed(draft, answer.messages)
        draft.calls = answer.calls
        if not changes:
            return answer.body, history_of(answer.messages)
        body = call.face.rewritten(answer, changes)
        again = call.face.answer(body, call.turn)
        draft.calls = again.calls
        return body, history_of(again.messages)

    async def speak(self, call: Call, draft: Draft, decision: Decision) -> Reply:
        """Step 3: the declared sentence, in the dialect's own filter form."""
        say = call.face.sentence_stream if call.turn.stream else call.face.sentence
        body = say(call.turn, decision.sentence, self.ids(draft), now_s=draft.started_ms // 1000)
        draft.outcome, draft.status = decision.outcome, 200
        await self.finish(draft, call.face.said((decision.sentence,)))
        return self.reply(draft, body)

    async def finish(self, draft: Draft, history: Sequence[bytes], reference: str = "") -> None:
        """Step 7. Raises HandrailError JOURNAL_UNAVAILABLE: then nothing of the answer leaves."""
        net, use_case = self.net, draft.caller.use_case
        if reference:
            net.references.record(
                use_case=use_case.id,
                customer=draft.turn.customer,
                name=reference,
                conversation=draft.thread.conversation,
            )
        if draft.calls and not draft.caller.probe:  # no action of a customer's agent is linked to a test
            net.model_calls.record(
                use_case=use_case.id,
                key_id=draft.caller.key.lineage,
                conversation=draft.thread.conversation,
                calls=draft.calls,
            )
        await net.threads.close_turn(draft.thread, history=[*draft.history, *history])
        told = draft.told()
        if told is not None and not draft.caller.probe:
            net.journal.queue(draft.disclosed(EntryId(net.ids.new("ent")), net.clock.now_ms(), told))
        entry = self._closed(draft)
        if use_case.durability is Durability.STRICT:
            await self._record(draft, entry)
        else:
            net.journal.queue(entry)
            draft.recorded = True

    async def _record(self, draft: Draft, entry: Entry) -> None:
        """Commit the full entry. A client that leaves meanwhile does not stop it, and no second one follows: the entry
        tells what was decided. Raises HandrailError JOURNAL_UNAVAILABLE; CancelledError once the commit has ended."""
        commit = self.net.journal.commit(entry)
        draft.recorded = True
        try:
            await commit
        finally:
            draft.recorded = commit.done() and commit.exception() is None

    async def refused(self, draft: Draft, error: HandrailError) -> RefusedError:
        """Write the refusal down; when even that fails, the client hears that the journal is away."""
        if error.code is Code.BLOCKED:
            draft.outcome = Outcome.BLOCKED
        else:
            draft.outcome = Outcome.FAILED if error.code.value.startswith("upstream.") else Outcome.REFUSED
        draft.error, draft.status = error.code.value, self._status(error)
        entry = self._closed(draft)
        try:
            await self._record(draft, entry)
        except HandrailError as journal_error:
            error = journal_error
        return RefusedError(error, self.ids(draft))

    def cancelled(self, draft: Draft) -> None:
        """The client left. Queued: nobody waits for it. Once a provider was asked, the request is charged. Nothing
        happens when the full entry is with the journal already."""
        if draft.recorded:
            return
        draft.outcome = Outcome.CANCELLED
        if draft.choice and not draft.counted:
            self.count(draft, Usage(), 0, 0)
        net = self.net
        try:
            net.journal.queue(self._closed(draft))
            draft.recorded = True
        except HandrailError:
            return  # the journal is away and so is the client: the opened entry becomes `interrupted`

    def _closed(self, draft: Draft) -> Entry:
        net = self.net
        now_ms = net.clock.now_ms()
        entry = draft.closed(EntryId(net.ids.new("ent")), now_ms, net.clock.monotonic())
        if draft.thread.drawn is not None and draft.thread.drawn.of and (said := signs(draft)):
            with contextlib.suppress(HandrailError):  # the journal is away: the entry that follows says so
                net.threads.signal(draft.thread, said, now_ms)
        if self._told is not None and isinstance(entry.facts, InteractionFacts) and not draft.caller.probe:
            self._told(entry.facts)
        return entry

    def reply(self, draft: Draft, body: bytes) -> Reply:
        return Reply(
            body=body,
            outcome=draft.outcome or Outcome.ANSWERED,
            ids=self.ids(draft),
            stream=draft.turn.stream,
            disclosure=draft.told(),
            probed=draft.facts(self.net.clock.monotonic()) if draft.caller.probe else None,
        )

    def ids(self, draft: Draft) -> ReplyIds:
        return ReplyIds(draft.id, draft.thread.conversation, draft.caller.live.digest)

    async def _provider_objects(self, call: Call, draft: Draft) -> None:
        """Hosted tools and objects at the provider pass only when listed or recorded; observe mode notes it."""
        use_case, turn = draft.caller.use_case, call.turn
        problems: list[HandrailError] = []
        for tool in turn.hosted_tools:
            if tool not in use_case.hosted_tools_allowed:
                message = f"provider-hosted tools need listing: hosted_tools_allowed of use case {use_case.id}"
                problems.append(HandrailError(Code.TOOL_HOSTED, message))
        if turn.references and not await self.net.references.known(
            use_case=use_case.id, customer=turn.customer, names=turn.references
        ):
            message = "this request leans on an object at the provider that was not made here for the same customer"
            problems.append(HandrailError(Code.REFERENCE_UNKNOWN, message))
        if problems and use_case.mode is not Mode.OBSERVE:
            raise problems[0]
        draft.noted += tuple(Reason(problem.code.value) for problem in problems)

    async def _prompt_seen(self, draft: Draft, screened: Screened) -> Screened:
        """The client's prompt by keyed hash; one that was never seen is a finding."""
        net, use_case = self.net, draft.caller.use_case
        draft.prompt_digest = Digest(net.threads.fingerprint(b"prompt\0" + draft.turn.prompt.encode()).hex())
        if (use_case.id, draft.prompt_digest) in self._prompts:
            return screened
        name = f"{REFERENCE_KIND}{draft.prompt_digest}"
        known = await net.references.known(use_case=use_case.id, customer=None, names=(name,))
        if not known and draft.caller.probe:
            return _unseen(screened)  # a test makes no prompt a known one
        if not known:
            net.references.record(use_case=use_case.id, customer=None, name=name, conversation=None)
        if len(self._prompts) > 10_000:
            self._prompts.clear()
        self._prompts.add((use_case.id, draft.prompt_digest))
        return screened if known else _unseen(screened)


def _unseen(screened: Screened) -> Screened:
    """With the finding that the client's prompt was never seen."""
    return msgspec.structs.replace(
        screened,
        found=(*screened.found, Found(Kind.UNSEEN_PROMPT, Side.INPUT, Role.SYSTEM, 1.0)),
        findings=(*screened.findings, Finding(Kind.UNSEEN_PROMPT, 0, 0, 1.0, "digest")),
        spots=(*screened.spots, ()),
    )


def history_of(messages: Sequence[Message]) -> list[bytes]:
    """What recognises those of the messages that belong to the conversation."""
    return [message.history for message in messages if message.history is not None]


def _stopped(stop: str) -> HandrailError:
    return HandrailError(Code.CHAT_STOPPED, f"model answers are stopped here ({stop}); hand this conversation over")


def broken(mistake: Exception) -> HandrailError:
    """A mistake of ours: nothing passes. Only its type is told, since its words may hold what a customer said."""
    return HandrailError(Code.GUARD_UNAVAILABLE, f"handrail could not handle this request ({type(mistake).__name__})")
