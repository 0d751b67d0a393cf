"""What one interaction needs from the world: a model, a conversation's memory, the journal (`ledger.store`)."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from handrail.policy.ruleset import Provider
from handrail.terms.ids import ConversationId, CustomerId, Digest, SubjectId, UseCaseId


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP call to a provider. `path`: below the provider's base URL, such as `/chat/completions`. `headers`:
    lower-case names the client's dialect may pass on (never authorisation; the backend adds the provider's)."""

    provider: Provider
    path: str
    body: bytes
    stream: bool
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()


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
    recorded. `first`: no interaction of it is recorded yet. `unlinked`: history came, but no stored one fits."""

    conversation: ConversationId
    subject: Subject
    first: bool
    unlinked: bool
    seen: frozenset[bytes]
    release: Digest | None = None  # the release its first turn was assigned to


class Threads(Protocol):
    """Conversations and their subjects. A keyed hash (HMAC under a key that never leaves the data folder) stands for
    every customer id and message; the clear values are not stored."""

    async def open(
        self,
        *,
        use_case: UseCaseId,
        key_id: str,
        conversation: str | None,
        customer: CustomerId | None,
        history: Sequence[bytes],
    ) -> Thread:
        """`conversation`: the id the client gave, None = infer. `history`: canonical bytes of each message sent,
        oldest first, new ones last (all after the last assistant message is new). A given id belongs to (use case,
        key): the same words from another use case are another conversation. Raises JOURNAL_UNAVAILABLE."""
        ...

    async def close_turn(self, thread: Thread, *, history: Sequence[bytes]) -> None:
        """Remember the tail, the answer included, so that the next turn continues here. Same commit as the entry when
        called before it."""
        ...
