"""Carry a claimed action out, or find out what became of it. The claim is durable before anything leaves.

A call leaves at most once for each claim, and each action is claimed at most once. When its outcome is not known (the
process died, the answer was lost), the target is asked: by its own question (`Tool.outcome`), or by the same call under
the same key when it honours keys. A target that can do neither leaves the action `unknown`, and a person is asked;
nothing is tried again.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from handrail.approvals.desk import Finish, Renew, Repeat, TakeOver
from handrail.approvals.facts import ActionFacts
from handrail.approvals.lifecycle import Progress, State
from handrail.approvals.store import ActionTransaction, Stored
from handrail.guard.lease import Leases
from handrail.ledger.store import Journal
from handrail.terms.action import Action, ActionId, ActionType, ToolId
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, Ids
from handrail.tools.paths import one_at
from handrail.tools.registry import Call, Check, Expect, Tool, Upstream

ACCEPTED = 202
RECORD_AGAIN_S = (0.1, 0.3, 1.0, 3.0)
"""Pauses between tries to record an outcome: who loses it must ask the target, or a person."""
LOOKS = 3
"""How often a verification is made before it counts as contradicted: targets may show an effect a moment late."""
BLOT = b"[key]"
LEASE_MS = 1_500
"""How long a claim's holder may be silent; another process asks for the outcome after that."""


class Effect(StrEnum):
    """What is certain after a call. `none`: the target said no before doing anything, or was never reached."""

    DONE = "done"
    NONE = "none"
    UNSURE = "unsure"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`result`: JSON for the agent. `content`: the same as an MCP server gave it (its content blocks), for agents that
    ask by MCP. `request`, `response`: the bytes as they went and came, for the receipt. `code`: why, when there was no
    effect or nobody knows."""

    effect: Effect
    result: Any = None
    content: list[dict[str, Any]] | None = None
    request: bytes = b""
    response: bytes = b""
    status: int = 0
    code: str = ""


class Targets(Protocol):
    """The systems behind the tools (`backends.tools`)."""

    async def call(self, tool: Tool, upstream: Upstream, arguments: dict[str, Any], *, key: str) -> Answer:
        """One call, never repeated here. `key`: for the place that the tool names; ignored when it names none. Does
        not raise for what the target or the network does: that is an Answer."""
        ...


class Registry(Protocol):
    """What is in force."""

    def tool(self, tool: ToolId) -> tuple[Tool, Upstream] | None: ...


class Executor:
    """`secret`: 32 bytes; downstream keys are made with it and are never shown to a model. `owner`: this process, in
    leases."""

    def __init__(
        self,
        *,
        journal: Journal,
        targets: Targets,
        registry: Registry,
        clock: Clock,
        ids: Ids,
        secret: bytes,
        owner: str,
    ) -> None:
        self._journal = journal
        self._targets = targets
        self._registry = registry
        self._clock = clock
        self._ids = ids
        self._secret = secret
        self.owner = owner
        self._leases = Leases(journal, clock, owner=owner, lease_ms=LEASE_MS)

    def claiming(
        self, command: Callable[[ActionTransaction], Stored], action: ActionId
    ) -> Callable[[ActionTransaction], Stored]:
        """`command`, which may claim `action`: from that transaction on the claim is kept alive, until `carry_out` gets
        its turn."""

        def claimed(tx: ActionTransaction) -> Stored:
            stored = command(tx)
            if stored.progress.action == action and stored.progress.state is State.CLAIMED:
                self._leases.begin(action)
            return stored

        return claimed

    async def carry_out(self, claimed: Stored) -> Stored:
        """1 the tool as it is in force. 2 the call, and the question what became of it where the answer was lost. 3 the
        outcome and its receipt, durable before the agent hears of it; until then the claim is renewed. Raises
        HandrailError LOST_RACE when another process took the claim over (its outcome counts), JOURNAL_UNAVAILABLE when
        the outcome could not be recorded (it will be asked for)."""
        request = _request(claimed)
        with self._leases.held(request.id):
            return await self._carried_out(claimed, request)

    async def _carried_out(self, claimed: Stored, request: Action) -> Stored:
        found = self._registry.tool(request.tool)
        if found is None:
            return await self._finish(claimed, Answer(effect=Effect.NONE, code="tool.unregistered"), "answer")
        tool, upstream = found
        if self._clock.now_ms() >= claimed.progress.lease_until:  # we slept: is the claim still ours?
            await self._journal.run(Renew(action=request.id, owner=self.owner, lease_ms=LEASE_MS))
        began = self._clock.monotonic()
        answer = await self._targets.call(tool, upstream, request.arguments, key=self.key_of(request))
        by = "answer"
        if answer.effect is Effect.UNSURE:
            by, first = "asked", answer
            answer = await self._found_out(tool, upstream, request)
            answer = first if answer.effect is Effect.UNSURE else answer
        elif answer.effect is Effect.DONE and answer.status == ACCEPTED and tool.outcome is not None:
            by, answer = "asked", await self._accepted(tool, upstream, request, answer)
        verified = await self._verified(tool, request, answer) if answer.effect is Effect.DONE else None
        if verified is False:
            answer = msgspec.structs.replace(answer, effect=Effect.UNSURE, code="verify.contradicts")
        return await self._finish(
            claimed, answer, by, verified=verified, took_ms=int(1_000 * (self._clock.monotonic() - began))
        )

    async def reconcile(self, progress: Progress) -> Stored:
        """What became of a claim whose holder went silent. Raises HandrailError LOST_RACE when it is not silent."""
        taken: Stored = await self._journal.run(
            TakeOver(ids=self._ids, action=progress.action, owner=self.owner, lease_ms=LEASE_MS)
        )
        with self._leases.held(progress.action):
            return await self._finish(taken, await self._became(taken), "asked")

    async def _became(self, taken: Stored) -> Answer:
        if taken.request is None:
            return Answer(effect=Effect.UNSURE, code="subject.erased")
        found = self._registry.tool(taken.request.tool)
        if found is None:
            return Answer(effect=Effect.UNSURE, code="tool.unregistered")
        return await self._found_out(*found, taken.request)

    def key_of(self, request: Action) -> str:
        """The downstream idempotency key: of the action and its revision, so that an edited call is another one."""
        name = f"{request.id}\0{request.revision}".encode()
        return hmac.new(self._secret, name, hashlib.sha256).hexdigest()[:40]

    async def _found_out(self, tool: Tool, upstream: Upstream, request: Action) -> Answer:
        """What became of a call whose answer is not known: by the target's own question, or the same call under the
        same key, which may be the first to arrive and so needs what a claim needs; else it stays unsure."""
        if tool.outcome is not None:
            return await self._asked(tool, upstream, request)
        if tool.idempotency is not None:
            if not await self._journal.run(Repeat(action=request.id, owner=self.owner, lease_ms=LEASE_MS)):
                return Answer(effect=Effect.UNSURE, code="outcome.not_asked")
            return await self._targets.call(tool, upstream, request.arguments, key=self.key_of(request))
        return Answer(effect=Effect.UNSURE, code="outcome.unknown")

    async def _asked(self, tool: Tool, upstream: Upstream, request: Action) -> Answer:
        """By the target's own question. "Absent" counts only when the first call can no longer be on its way."""
        assert tool.outcome is not None
        waits = 1 + upstream.timeout_ms // 250 if tool.outcome.absent else 1
        for _ in range(waits):
            said = await self._ask(tool.outcome, request)
            if said is None:
                break
            if _shows(tool.outcome.expect, said.result, request, self.key_of(request)):
                return msgspec.structs.replace(said, effect=Effect.DONE)
            if not (tool.outcome.absent and _shows(tool.outcome.absent, said.result, request, self.key_of(request))):
                break
            await asyncio.sleep(0.25)
        else:
            return Answer(effect=Effect.NONE, code="outcome.absent")
        return Answer(effect=Effect.UNSURE, code="outcome.unknown")

    async def _accepted(self, tool: Tool, upstream: Upstream, request: Action, answer: Answer) -> Answer:
        """A target that only accepted the call is asked until it says that it is done, for as long as a call may take;
        that nothing is there yet proves nothing."""
        for _ in range(1 + upstream.timeout_ms // 250):
            found = await self._asked(msgspec.structs.replace(tool, outcome=_no_absent(tool)), upstream, request)
            if found.effect is Effect.DONE:
                return found
            await asyncio.sleep(0.25)
        return msgspec.structs.replace(answer, effect=Effect.UNSURE, code="target.accepted")

    async def _ask(self, check: Check, request: Action, response: Any = None) -> Answer | None:
        """A read; None when it did not answer."""
        found = self._registry.tool(check.call.tool)
        if found is None or found[0].type is not ActionType.READ:
            return None
        arguments = filled(check.call, request, response, self.key_of(request))
        answer = await self._targets.call(*found, arguments, key="")
        return answer if answer.effect is Effect.DONE else None

    async def _verified(self, tool: Tool, request: Action, answer: Answer) -> bool | None:
        """Whether the effect can be seen. None: the tool declares no way to see it, or the way did not answer."""
        if tool.verify is None:
            return None
        said = None
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(0.25 * look)
            said = await self._ask(tool.verify, request, answer.result)
            if said is None:
                return None
            if _shows(tool.verify.expect, said.result, request, self.key_of(request), answer.result):
                return True
        return False

    async def _finish(
        self, stored: Stored, answer: Answer, by: str, *, verified: bool | None = None, took_ms: int | None = None
    ) -> Stored:
        state = {Effect.DONE: State.DONE, Effect.NONE: State.FAILED, Effect.UNSURE: State.UNKNOWN}[answer.effect]
        salt = stored.request.salt if stored.request else b""
        facts = ActionFacts(
            action=stored.progress.action,
            request=_digest(salt, answer.request),
            response=_digest(salt, answer.response),
            verified=verified,
            took_ms=took_ms,
            by_claim=by,
        )
        told = {"status": state.value, "result": answer.result, "code": answer.code}
        result = msgspec.json.encode(told if answer.content is None else {**told, "content": answer.content})
        if stored.request is not None:  # a target may repeat its key; the agent and the model never see it
            result = result.replace(self.key_of(stored.request).encode(), BLOT)
        receipt = msgspec.json.encode(
            {
                **_exact("request", answer.request), **_exact("response", answer.response), "salt": salt,
                "status": answer.status, "verified": verified,
            }
        )  # fmt: skip
        finish = Finish(
            ids=self._ids, action=stored.progress.action, owner=self.owner, state=state, result=result,
            receipt=receipt, facts=facts,
        )  # fmt: skip
        done = await self._recorded(finish)
        return msgspec.structs.replace(done, result=result)

    async def _recorded(self, finish: Finish) -> Stored:
        """Raises HandrailError LOST_RACE, or JOURNAL_UNAVAILABLE when it could not be recorded for some seconds."""
        for pause in RECORD_AGAIN_S:
            try:
                done: Stored = await self._journal.run(finish)
            except HandrailError as error:
                if error.code is not Code.JOURNAL_UNAVAILABLE:
                    raise
                await asyncio.sleep(pause)
            else:
                return done
        last: Stored = await self._journal.run(finish)
        return last


def filled(call: Call, request: Action, response: Any, key: str) -> dict[str, Any]:
    """The arguments of a further call. A path that is not there is left out."""
    arguments = {}
    for name, given in call.arguments.items():
        try:
            arguments[name] = _value(given, request, response, key)
        except LookupError:
            continue
    return arguments


def _value(given: Any, request: Action, response: Any, key: str) -> Any:
    if not isinstance(given, str) or not given.startswith("$"):
        return given
    if given == "$key":
        return key
    head, _, path = given.partition(".")
    sources: Mapping[str, Any] = {"$arguments": request.arguments, "$response": response}
    if head not in sources:
        return given
    return one_at(sources[head], path)


def _shows(expects: tuple[Expect, ...], seen: Any, request: Action, key: str, response: Any = None) -> bool:
    for expect in expects:
        try:
            value = one_at(seen, expect.path)
            if expect.equals is not None and value != _value(expect.equals, request, response, key):
                return False
        except LookupError:
            return False
    return bool(expects)


def _no_absent(tool: Tool) -> Check | None:
    return None if tool.outcome is None else msgspec.structs.replace(tool.outcome, absent=())


def _exact(name: str, data: bytes) -> dict[str, Any]:
    """The bytes that a digest was made of: as text, or as base64 under `NAME_base64` where they are none."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": data}


def _digest(salt: bytes, data: bytes) -> Digest:
    return Digest(hashlib.sha256(salt + data).hexdigest())


def _request(stored: Stored) -> Action:
    if stored.request is None:
        raise HandrailError(Code.NOT_FOUND, "the customer of this action was erased; it cannot be executed")
    return stored.request
