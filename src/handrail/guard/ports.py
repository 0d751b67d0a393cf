"""What one interaction needs from the world: a model, a conversation's memory, the journal (`ledger.store`)."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Protocol

import msgspec

from handrail.guard.turn import ModelCall
from handrail.policy.ruleset import Provider
from handrail.releases.assign import Drawn
from handrail.terms.errors import HandrailError
from handrail.terms.ids import ConversationId, CustomerId, Digest, SubjectId, UseCaseId
from handrail.tools.registry import Tool, Upstream


class Progressed(Protocol):
    """Hears how far a call has come: `progress` of `total` if known, and in words if the target says any."""

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None: ...


PROGRESS: ContextVar[Progressed | None] = ContextVar("progress", default=None)
"""Who wants to hear how far the target of the call that runs here has come. Set by the door that waits for it."""


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP call to a provider. `path`: below the provider's base URL, such as `/chat/completions`. `headers`:
    lower-case names the client's dialect may pass on (never authorisation; the backend adds the provider's)."""

    provider: Provider
    path: str
    body: bytes
    stream: bool
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()


class ModelFailedError(HandrailError):
    """No provider's answer. `attempts`: how often one was asked for it."""

    def __init__(self, error: HandrailError, attempts: int) -> None:
        super().__init__(error.code, error.message, retry_after_s=error.retry_after_s)
        self.attempts = attempts


Taker = Callable[[bytes], bytes | None]
"""Takes a chunk at once and gives back what it left: None when nothing. Does not raise."""


class ModelResponse(Protocol):
    """Head has arrived. Closing without reading to the end cancels the upstream call."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Lower-case names."""
        ...

    @property
    def attempts(self) -> int: ...

    async def read(self) -> bytes:
        """The whole body. Raises HandrailError UPSTREAM_TIMEOUT, UPSTREAM_ERROR (broken off) or UPSTREAM_INVALID (too
        large)."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Body bytes as they arrive, with backpressure. Raises like `read`."""
        ...

    def tap(self, taker: Taker) -> None:
        """From now on what arrives while the reader of `chunks` waits may be given to `taker` where it arrives, and
        only what that leaves to the reader. Not every response does so."""
        ...

    async def close(self) -> None: ...


class Model(Protocol):
    """Sends one request to one provider: pooling, timeouts, retries with Retry-After, circuit breaker, bounded
    concurrency live behind it. Fallback between targets is the guard's (it knows the route)."""

    async def send(self, request: ModelRequest) -> ModelResponse:
        """Returns at the response head, whatever its status, after retries. Raises HandrailError UPSTREAM_UNREACHABLE,
        UPSTREAM_TIMEOUT, UPSTREAM_OPEN, BUSY (queue full; carries retry_after_s) or EGRESS_DENIED."""
        ...


class Subject(msgspec.Struct, frozen=True):
    """`key`: 32 bytes, the subject's data key, in memory only."""

    id: SubjectId
    key: bytes


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a conversation at the start of a turn. `seen`: keyed hashes (16 bytes) of messages already
    recorded. `first`: no interaction of it is recorded yet. `unlinked`: history came, but no stored one fits. `sent`:
    the keyed hash of each message that `open` was given, so that nobody need take it again. `drawn`: what a rollout or
    the hold-out drew for it at its first turn; None: nothing."""

    conversation: ConversationId
    subject: Subject
    first: bool
    unlinked: bool
    seen: frozenset[bytes]
    sent: tuple[bytes, ...] = ()
    release: Digest | None = None  # the release its first turn was assigned to
    drawn: Drawn | None = None


class Threads(Protocol):
    """Conversations and their subjects. A keyed hash (HMAC under a key that never leaves the data folder) stands for
    every customer id and message; the clear values are not stored."""

    def fingerprint(self, message: bytes) -> bytes:
        """The keyed hash (16 bytes) that stands for one message of `history` in `Thread.seen`. Costs no I/O."""
        ...

    async def open(
        self,
        *,
        use_case: UseCaseId,
        key_id: str,
        conversation: str | None,
        customer: CustomerId | None,
        history: Sequence[bytes],
        new_from: int,
    ) -> Thread:
        """`conversation`: the id the client gave, None = infer. `history`: canonical bytes of each message sent,
        oldest first, new ones last. `new_from`: index of the first new message, that is one after the last assistant
        message, 0 when there is none; storage cannot tell from bytes. `key_id`: the key's lineage, which a rotation
        keeps. A given id belongs to (use case, key): the same words from another use case are another conversation.
        Raises JOURNAL_UNAVAILABLE."""
        ...

    async def unit(self, of: Digest, run: int, unit: str) -> Drawn | None:
        """What a unit was drawn before, in another conversation; None: it is new. `release` is empty where it is not
        the rollout's own. Raises JOURNAL_UNAVAILABLE."""
        ...

    def assign(self, thread: Thread, drawn: Drawn) -> Thread:
        """Keep what was drawn, and make or widen its unit: in the commit of the conversation's first entry, or before.
        Raises JOURNAL_UNAVAILABLE."""
        ...

    def signal(self, thread: Thread, names: Sequence[str], at_ms: int) -> None:
        """What an interaction itself says about its unit, such as a block; each once, without waiting. Raises
        JOURNAL_UNAVAILABLE."""
        ...

    async def close_turn(self, thread: Thread, *, history: Sequence[bytes]) -> None:
        """Remember the tail, the answer included, so that the next turn continues here. Same commit as the entry when
        called before it."""
        ...


class References(Protocol):
    """Objects that live at a provider (earlier responses, files, stored prompts, conversations). One passes only if
    this use case and customer made it through handrail."""

    async def known(self, *, use_case: UseCaseId, customer: CustomerId | None, names: Sequence[str]) -> bool:
        """Whether every one of `names` was recorded for the same use case and customer. Raises JOURNAL_UNAVAILABLE;
        the caller then refuses."""
        ...

    async def conversation(
        self, *, use_case: UseCaseId, customer: CustomerId | None, name: str
    ) -> ConversationId | None:
        """The conversation in which an object was made; None when it is not known."""
        ...

    def record(
        self, *, use_case: UseCaseId, customer: CustomerId | None, name: str, conversation: ConversationId | None
    ) -> None:
        """Remember an id that a provider's answer gave, without waiting. `name`: `kind:id`, such as `response:resp_1`;
        `client-prompt:` and a keyed hash for a client's prompt."""
        ...


class ModelCalls(Protocol):
    """Tool calls that models asked for in the last ten minutes, by keyed hashes of use case, key lineage, name and
    canonical arguments: they link an agent's call to its conversation where the agent names none."""

    def record(
        self, *, use_case: UseCaseId, key_id: str, conversation: ConversationId, calls: Sequence[ModelCall]
    ) -> None:
        """Remember them, without waiting. One whose arguments are no JSON object is left out."""
        ...

    async def conversation(
        self, *, use_case: UseCaseId, key_id: str, names: Sequence[str], arguments: Mapping[str, Any]
    ) -> ConversationId | None:
        """The conversation of the one call under any of these `names` with equal arguments; None when there is none,
        or more than one. Raises JOURNAL_UNAVAILABLE."""
        ...


class Spent(msgspec.Struct, frozen=True):
    """What one use case has used in one period, all processes together."""

    requests: int = 0
    tokens: int = 0
    cost_micro_minor: int = 0


class Spending(Protocol):
    """The counts that several processes share. The guard counts in its own process and exchanges once a second, so a
    budget can be passed by at most what the other processes accept within one exchange."""

    async def exchange(self, *, use_case: UseCaseId, period: str, added: Spent) -> Spent:
        """Add what this process counted since the last call; returns the total of all processes. `period`: ISO date in
        the organisation's time zone (`2026-11-21`) or UTC minute (`2026-11-21T11:55Z`). Raises JOURNAL_UNAVAILABLE with
        nothing added."""
        ...


class Manifests(Protocol):
    """What the targets of tools announce now."""

    async def changed(self, tool: Tool, upstream: Upstream) -> bool:
        """Whether the target announces this tool otherwise than it was published. A target that announces nothing, or
        does not answer, has not changed; what does not answer is not called either. Never raises."""
        ...
