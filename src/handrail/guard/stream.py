"""A streamed answer: steps 1 to 5 and 7 of `guard.chat`, and between them every event as it comes.

Events without text pass byte-exact; text passes once its lane has cleared it; a tool call's arguments wait for their
end and go on as one event. The last event (or its replacement) leaves only after the entry is durable. A block, a
detector's failure, a broken provider or a stop that begins meanwhile ends the stream well-formed in the client's
dialect. When the client leaves, the provider's answer is closed and the outcome is `cancelled`.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from handrail.detectors.mask import restore
from handrail.guard.chat import Call, Chat, broken
from handrail.guard.disclosure import Told
from handrail.guard.lane import Lane, Reader, Stop, lane_for
from handrail.guard.passing import Passing, Sink
from handrail.guard.record import Draft, Weighed
from handrail.guard.rewrite import argument_values
from handrail.guard.route import Asked
from handrail.guard.screen import Screened, Setting, Spot, screen
from handrail.guard.turn import Channel, Codec, Leaf, Message, ModelCall, Piece, ReplyIds, Usage, Usual
from handrail.ledger.entry import InteractionFacts
from handrail.policy.evaluate import DecisionInput, Found, Side, Unreadable, decide, handover_for
from handrail.terms.decision import Outcome
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Finding, Role

ARGUMENTS_LIMIT = 256 * 1024
"""Characters of one tool call's arguments that may wait."""

AT_ONCE = 48
"""Characters of events that came together which a lane is given at once: with what it holds, fewer than may wait."""


class Opening(msgspec.Struct, frozen=True):
    """What the head of a stream says. `outcome`: None while it is not known."""

    ids: ReplyIds
    outcome: Outcome | None
    disclosure: Told | None


Opened = Callable[[Opening], Awaitable[None]]


class StreamChat:
    """Answers streaming calls."""

    def __init__(self, chat: Chat, probed: Callable[[InteractionFacts], bytes] = lambda _: b"") -> None:
        """`probed`: what the end of a probe's stream says of it, in a form that every client passes over."""
        self._chat = chat
        self._probed = probed

    async def answer(self, call: Call, opened: Opened, sink: Sink) -> Outcome:
        """The outcome. Raises RefusedError before the head was sent; CancelledError when the client left, which is
        recorded."""
        chat = self._chat
        draft = await chat.open(call)
        asked: Asked | None = None
        screen: StreamScreen | None = None
        try:
            try:
                decision = await chat.check(call, draft)
                if decision.outcome is not Outcome.ANSWERED:
                    reply = await chat.speak(call, draft, decision)
                    await opened(Opening(reply.ids, reply.outcome, reply.disclosure))
                    await sink(reply.body + self._told(draft), True)
                    return decision.outcome
                chat.announce(draft)
                asked = await chat.ask(call, draft)
                chat.still_allowed(draft)
                screen = StreamScreen(chat, call, draft)
            except HandrailError as error:
                raise await chat.refused(draft, error) from error
            except Exception as mistake:  # noqa: BLE001  a mistake of ours must refuse, recorded, and not pass
                raise await chat.refused(draft, broken(mistake)) from None
            draft.first_byte_ms = int((chat.net.clock.monotonic() - draft.started) * 1000)
            await opened(Opening(chat.ids(draft), None, draft.told()))
            return await self._relay(call, draft, asked, screen, sink)
        except asyncio.CancelledError:
            if screen is not None and not draft.recorded:
                screen.left()
            chat.cancelled(draft)
            raise
        finally:
            if asked is not None:
                await asked.response.close()

    async def _relay(self, call: Call, draft: Draft, asked: Asked, screen: "StreamScreen", sink: Sink) -> Outcome:
        """Every event until the end, then the entry, then the last bytes."""
        codec, ids = screen.codec, self._chat.ids(draft)
        try:
            ready, ended = screen.feed(asked.first)
            if not ended and asked.rest is not None:
                if ready:
                    await sink(ready, False)
                passing = Passing(screen.usual, sink)
                asked.response.tap(passing.take)
                async for chunk in asked.rest:
                    await passing.catch_up()
                    self._chat.still_allowed(draft)
                    ready, ended = screen.feed(chunk)
                    if ended:
                        break
                    if ready:
                        await sink(ready, False)
            if not ended:
                ready = screen.cut_off()
            tail, outcome, error = screen.tail, Outcome.ANSWERED, None
        except Stop:
            ready = screen.ready()
            tail, outcome, error = screen.stopped(ids)
        except HandrailError as failure:
            ready, error = screen.ready(), failure
            if failure.code is Code.CHAT_STOPPED:
                tail, outcome = screen.handed_over(failure.code, ids), Outcome.REFUSED
            else:
                tail, outcome = codec.failed(failure, ids), Outcome.FAILED
        except Exception as mistake:  # noqa: BLE001  whatever broke, nothing unread may follow
            error = broken(mistake)
            ready, tail, outcome = screen.ready(), codec.failed(error, ids), Outcome.REFUSED
        screen.settle()
        if outcome is Outcome.ANSWERED and codec.tools:
            sent = screen.sent()
            draft.calls = tuple([ModelCall(tool, sent.get(lane, "")) for lane, tool in codec.tools.items()])
        draft.outcome, draft.status, draft.error = outcome, 200, error.code.value if error else ""
        try:
            await self._chat.finish(draft, codec.said(screen.sent()), codec.reference)
        except HandrailError as failure:
            tail, outcome = codec.failed(failure, ids), Outcome.REFUSED
        await sink(ready + tail + self._told(draft), True)
        return outcome

    def _told(self, draft: Draft) -> bytes:
        """Behind the last event; nothing for customers."""
        return self._probed(draft.facts(self._chat.net.clock.monotonic())) if draft.caller.probe else b""


class StreamScreen:
    """All lanes of one stream. Sans-I/O: chunks in, bytes that may go on out."""

    def __init__(self, chat: Chat, call: Call, draft: Draft) -> None:
        use_case = draft.caller.use_case
        self.codec: Codec = call.face.codec(call.turn)
        self.tail = b""
        self._chat = chat
        self._draft = draft
        self._setting = chat.answer_setting(draft)
        self._reader = Reader(
            self._setting,
            draft.caller.rules,
            draft.vault,
            draft.vault.restorable(use_case.audience),
            use_case.stream,
            chat.net.clock,
            use_case.detector_deadline_ms / 1000,
        )
        self._lanes: dict[str, Lane] = {}
        self._sent: dict[str, list[str]] = {}
        self._arguments: dict[str, list[str]] = {}
        self._size = 0
        self._ended = False
        self._extra: list[tuple[Message, Screened]] = []
        self._done: list[tuple[Message, Screened]] = []
        self._out: list[bytes] = []
        self._unreadable: dict[str, Unreadable] = {}

    def usual(self, chunk: bytes) -> bytes | None:
        """As `feed` for a chunk of nothing but usual events; None, and nothing is done, for any other. Raises Stop,
        and HandrailError CHAT_STOPPED."""
        usual = self.codec.usual
        read = usual.read(chunk) if usual is not None else None
        if usual is None or read is None or read[1] != len(chunk):
            return None
        self._chat.still_allowed(self._draft)
        return self._usual(usual, read[0], chunk)

    def feed(self, chunk: bytes) -> tuple[bytes, bool]:
        """What may be sent, and whether the answer has ended (`tail` then waits for the entry). Raises Stop, and
        HandrailError for what the provider did wrong; `ready` then gives what had been cleared."""
        usual = self.codec.usual
        read = usual.read(chunk) if usual is not None else None
        if usual is not None and read is not None:
            text, end = read
            if end == len(chunk):
                return self._usual(usual, text, chunk), False
            ready = self._usual(usual, text, chunk[:end])
            if ready:
                self._out.append(ready)
            chunk = chunk[end:]
        for piece in self.codec.feed(chunk):
            for lane in piece.ends:
                self._end(lane)
            if piece.unreadable:
                self._unread(piece.unreadable)
            if piece.extra:
                self._extras(piece)
            if piece.last:
                self._ended = True
                self._end_all()
                self.tail = self.codec.settled(piece, self.sent()) if piece.repeats else piece.raw
                return self.ready(), True
            if piece.text is not None:
                self._grow(piece)
            elif piece.repeats:
                self._out.append(self.codec.settled(piece, self.sent()))
            elif not piece.drop and not piece.extra:
                self._out.append(piece.raw)
        return self.ready(), False

    def _usual(self, usual: Usual, text: str, raw: bytes) -> bytes:
        """What may be sent of events that bring nothing but `text`: what came together goes on as one event, unless
        all of it goes as it came. Raises Stop; `ready` then gives what had been cleared."""
        lane = self._lanes.get(usual.lane) or self._begun(usual.lane, usual.channel)
        cleared = lane.feed(text) if len(text) <= AT_ONCE else self._portions(usual, text, lane)
        if not cleared:
            return b""
        self._sent[usual.lane].append(cleared)
        return raw if cleared == text else usual.text(cleared)

    def _portions(self, usual: Usual, text: str, lane: Lane) -> str:
        """What may be sent of a longer text. What a portion cleared is not lost by a Stop in the next."""
        parts: list[str] = []
        try:
            for at in range(0, len(text), AT_ONCE):
                parts.append(lane.feed(text[at : at + AT_ONCE]))
        except Stop:
            cleared = "".join(parts)
            if cleared:
                self._sent[usual.lane].append(cleared)
                self._out.append(usual.text(cleared))
            raise
        return "".join(parts)

    def _begun(self, name: str, channel: Channel) -> Lane:
        lane = self._lanes[name] = lane_for(channel, self._reader)
        self._sent[name] = []
        return lane

    def ready(self) -> bytes:
        """What was cleared and not yet taken."""
        out = self._out
        if not out:
            return b""
        ready = out[0] if len(out) == 1 else b"".join(out)
        self._out = []
        return ready

    def cut_off(self) -> bytes:
        """The provider closed without a terminator: fine when the model had said its end, else its failure."""
        if not self.codec.complete:
            came = bool(self._sent) or bool(self.codec.tools)
            what = (
                "broke off its answer" if came else "ended its answer before a word of it came: is it an event stream?"
            )
            raise HandrailError(Code.UPSTREAM_ERROR, f"the provider {what}")
        self._ended = True
        self._end_all()
        self.tail = self.codec.terminator()
        return self.ready()

    def _grow(self, piece: Piece) -> None:
        name, text = piece.lane, piece.text or ""
        if piece.channel is Channel.TOOL_ARGUMENTS:
            self._gather(piece, text)
            return
        lane = self._lanes.get(name) or self._begun(name, piece.channel)
        cleared = lane.feed(text)
        if cleared:
            self._sent[name].append(cleared)
        if cleared == text:
            self._out.append(piece.raw)
        elif cleared or not piece.alone:
            self._out.append(self.codec.text(piece, cleared))

    def _gather(self, piece: Piece, text: str) -> None:
        """Arguments wait; an event that brings more than them goes on without them."""
        self._size += len(text)
        if self._size > ARGUMENTS_LIMIT:
            raise HandrailError(Code.UPSTREAM_INVALID, "a tool call's arguments are larger than 256 KiB")
        self._arguments.setdefault(piece.lane, []).append(text)
        if not piece.alone:
            self._out.append(self.codec.text(piece, ""))

    def _end(self, name: str) -> None:
        if name in self._arguments:
            self._release_arguments(name)
            return
        lane = self._lanes.get(name)
        if lane is None:
            return
        rest = lane.finish()
        if rest:
            self._sent[name].append(rest)
            self._out.append(self.codec.more(name, rest))

    def _end_all(self) -> None:
        for name in [*self._lanes, *self._arguments]:
            self._end(name)

    def _release_arguments(self, name: str) -> None:
        """Read as decoded JSON, changed where the rules say so, sent as one event."""
        text = "".join(self._arguments.pop(name))
        leaves = self.codec.argument_leaves(name, text)
        message = Message(Role.ASSISTANT, leaves)
        screened = screen((message,), (True,), self._fresh_setting())
        self._done.append((message, screened))
        changes = self._weighed(message, screened, Channel.TOOL_ARGUMENTS)
        new = self.codec.with_arguments(text, changes) if changes else text
        self._sent[name] = [new]
        if new:
            self._out.append(self.codec.more(name, new))

    def _unread(self, parts: tuple[str, ...]) -> None:
        """Parts that no detector can read. Raises Stop before they are sent when the use case refuses such parts."""
        new = [part for part in parts if part not in self._unreadable]
        if not new:
            return
        self._unreadable.update((part, Unreadable(part, Side.OUTPUT)) for part in new)
        caller = self._draft.caller
        given = DecisionInput(use_case=caller.use_case.id, unreadable=tuple(self._unreadable.values()))
        if decide(given, caller.rules).outcome is not Outcome.ANSWERED:
            raise Stop

    def _extras(self, piece: Piece) -> None:
        """Texts that come whole inside an event."""
        message = Message(Role.ASSISTANT, piece.extra)
        screened = screen((message,), (True,), self._fresh_setting())
        self._extra.append((message, screened))
        changes = self._weighed(message, screened, Channel.ASSISTANT)
        if piece.text is None and not (piece.last or piece.repeats or piece.drop):
            self._out.append(self.codec.changed(piece, changes) if changes else piece.raw)
        elif changes and piece.text is None and piece.repeats:
            piece.raw = self.codec.changed(piece, changes)  # it goes on once it is settled
        elif changes:
            raise Stop

    def _weighed(self, message: Message, screened: Screened, channel: Channel) -> dict[Leaf, str]:
        """Changes of texts that came whole. Raises Stop when the rules end the answer here."""
        draft = self._draft
        given = DecisionInput(use_case=draft.caller.use_case.id, found=screened.found, failures=screened.failures)
        decision = decide(given, draft.caller.rules)
        if decision.outcome is not Outcome.ANSWERED:
            raise Stop
        spans: dict[int, list[Finding]] = {}
        for place in decision.masks:
            finding = screened.findings[place]
            for spot in screened.spots[place]:
                spans.setdefault(spot.leaf, []).append(
                    Finding(finding.kind, spot.start, spot.end, finding.score, finding.reason)
                )
        changes: dict[Leaf, str] = {}
        for index, leaf in enumerate(message.leaves):
            text = draft.vault.mask(leaf.text, spans[index], Role.ASSISTANT) if index in spans else leaf.text
            if draft.vault.held:
                arguments = channel is Channel.TOOL_ARGUMENTS
                text = restore(text, argument_values(draft, leaf) if arguments else self._reader.values)
            if text != leaf.text:
                if leaf.key:
                    raise Stop
                changes[leaf] = text
        return changes

    def stopped(self, ids: ReplyIds) -> tuple[bytes, Outcome, HandrailError | None]:
        """The end of a stream that the rules stopped: its bytes, its outcome, and the error when a reader failed."""
        self.settle()
        weighed = self._draft.output
        assert weighed is not None  # settle sets it
        decision = weighed.decision
        if decision.outcome is Outcome.REFUSED:
            error = HandrailError(
                decision.error or Code.GUARD_UNAVAILABLE, "screening of the answer could not be completed"
            )
            return self.codec.failed(error, ids), Outcome.REFUSED, error
        outcome = Outcome.BLOCKED if decision.outcome is Outcome.ANSWERED else decision.outcome
        code = decision.reasons[0].code if decision.reasons else "finding.late"
        return self._spoken(decision.sentence, code, ids), outcome, None

    def handed_over(self, code: Code, ids: ReplyIds) -> bytes:
        """The end of a stream that a stop ended: the use case's sentence for a hand-over, where it has one."""
        draft = self._draft
        language = draft.input.screened.language if draft.input else ""
        return self._spoken(handover_for(draft.caller.use_case, language), code.value, ids)

    def _spoken(self, sentence: str, code: str, ids: ReplyIds) -> bytes:
        if sentence:
            self._sent.setdefault("sentence", []).append(sentence)
        return self.codec.blocked(sentence, code, ids)

    def sent(self) -> dict[str, str]:
        """What each lane has sent."""
        return {name: "".join(parts) for name, parts in self._sent.items()}

    def settle(self) -> None:
        """Write into the draft what was said, found and decided, and what it cost."""
        draft = self._draft
        for lane in self._lanes.values():
            lane.close()
        read = [*self._done, *self._extra, *(_as_message(lane) for lane in self._lanes.values())]
        messages: list[Message] = []
        found: list[Found] = []
        findings: list[Finding] = []
        spots: list[tuple[Spot, ...]] = []
        failures: dict[str, None] = {}
        failed: list[int] = []
        for place, (message, screened) in enumerate(read):
            messages.append(message)
            failures.update(dict.fromkeys(screened.failures))
            if screened.failures:
                failed.append(place)
            for each, finding, where in zip(screened.found, screened.findings, screened.spots, strict=True):
                found.append(msgspec.structs.replace(each, message=place))
                findings.append(finding)
                spots.append(tuple(Spot(place, spot.leaf, spot.start, spot.end) for spot in where))
        language = draft.input.screened.language if draft.input else ""
        unreadable = tuple(self._unreadable.values())
        if unreadable:
            messages.append(Message(Role.ASSISTANT, (), None, tuple(self._unreadable)))
        whole = Screened(
            tuple(found), tuple(findings), tuple(spots), tuple(failures), unreadable, language, frozenset(failed)
        )
        given = DecisionInput(
            use_case=draft.caller.use_case.id,
            language=language,
            found=whole.found,
            failures=whole.failures,
            unreadable=unreadable,
        )
        draft.answer = tuple(messages)
        if not draft.counted:
            usage = self._usage()
            self._chat.count(draft, usage, len(self.codec.tools), 0 if usage.output_tokens else self._said())
        draft.output = Weighed(whole, given, decide(given, draft.caller.rules))

    def left(self) -> None:
        """The client left: what was said until now is settled. When even that fails, the answer is not kept."""
        try:
            self.settle()
        except Exception:  # noqa: BLE001  whatever broke, the interaction must still be written down as cancelled
            self._draft.answer, self._draft.output = (), None

    def _usage(self) -> Usage:
        """As the provider counted; it counts at the end, so of an answer that did not get there no less than what is
        estimated from what came."""
        usage = self.codec.usage
        if self._ended:
            return usage
        return Usage(usage.input_tokens, max(usage.output_tokens, self._said() // 4), usage.made_by)

    def _said(self) -> int:
        """Characters that the model said so far, whoever may see them."""
        whole = sum([len(leaf.text) for message, _ in self._extra for leaf in message.leaves])
        return self._size + whole + sum([len(lane.raw) for lane in self._lanes.values()])

    def _fresh_setting(self) -> Setting:
        use_case = self._draft.caller.use_case
        deadline = self._chat.net.clock.monotonic() + use_case.detector_deadline_ms / 1000
        return msgspec.structs.replace(self._setting, deadline=deadline)


def _as_message(lane: Lane) -> tuple[Message, Screened]:
    """A lane as one message with its findings."""
    leaf = Leaf(lane.channel, lane.raw, ())
    found = tuple([Found(f.kind, Side.OUTPUT, leaf.role, f.score) for f in lane.findings])
    spots = tuple([(Spot(0, 0, f.start, f.end),) for f in lane.findings])
    failures = tuple(lane.failures)
    return (
        Message(Role.ASSISTANT, (leaf,)),
        Screened(found, tuple(lane.findings), spots, failures, (), "", frozenset()),
    )
