"""One interaction as the guard sees it, whatever the client's dialect: texts with their places, nothing else.

A dialect (a `Face`, implemented in `gateway`) reads bytes into a `Turn` and an `Answer` and puts changed texts back at
their places. The guard decides on texts and never looks at a dialect's bytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import msgspec
import orjson

from handrail.policy.ruleset import Dialect
from handrail.terms.errors import HandrailError
from handrail.terms.finding import Role
from handrail.terms.ids import ConversationId, CustomerId, Digest, InteractionId

Path = tuple[str | int, ...]


class Channel(StrEnum):
    """Where in a request or an answer a text stands. The guard matrix has a row for each channel of each dialect."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    REASONING = "reasoning"
    REFUSAL = "refusal"
    TOOL_ARGUMENTS = "tool_arguments"
    TOOL_RESULT = "tool_result"
    TOOL_DEFINITION = "tool_definition"
    DOCUMENT = "document"
    OTHER = "other"  # any string outside the known-safe list


ROLE_OF = {
    Channel.SYSTEM: Role.SYSTEM,
    Channel.USER: Role.USER,
    Channel.ASSISTANT: Role.ASSISTANT,
    Channel.REASONING: Role.ASSISTANT,
    Channel.REFUSAL: Role.ASSISTANT,
    Channel.TOOL_ARGUMENTS: Role.ASSISTANT,
    Channel.TOOL_RESULT: Role.TOOL,
    Channel.TOOL_DEFINITION: Role.SYSTEM,
    Channel.DOCUMENT: Role.DOCUMENT,
    Channel.OTHER: Role.USER,
}


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """One text. `path`: its place in the body. `inner`: its place inside the JSON that the string at `path` holds
    (tool-call arguments). `tool`: name of the tool whose arguments it belongs to. `number`: the JSON value was a
    number. `key`: the text is the name of a field, which can be found but not masked in place."""

    channel: Channel
    text: str
    path: Path
    inner: Path | None = None
    tool: str = ""
    number: bool = False
    key: bool = False

    @property
    def role(self) -> Role:
        return ROLE_OF[self.channel]

    @property
    def field(self) -> Path:
        """The place inside a tool's arguments, whether they are a string of JSON or an object of the body."""
        if self.inner is not None:
            return self.inner
        return self.path[self.path.index("input") + 1 :] if "input" in self.path else ()


class Message(msgspec.Struct, frozen=True):
    """`history`: canonical bytes for recognising it when it comes again, or None for what belongs to no conversation
    (system prompts, tool definitions, other fields). `unreadable`: types of its parts that no detector can read."""

    role: Role
    leaves: tuple[Leaf, ...]
    history: bytes | None = None
    unreadable: tuple[str, ...] = ()


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A request. `messages` in the order sent, pseudo-messages (prompt, tools, other fields) among them. `new_from`:
    index in `messages` of the first new one. `hosted_tools`: types of provider-hosted tools asked for. `references`:
    provider objects it leans on, `kind:id`. `follows`: the one among them that it continues. `schemas`: tool name to
    the JSON Schema of its arguments. `extra_headers`: lower-case headers the dialect lets pass upstream.
    `wants_usage`: the client itself asked for usage in the stream. `value`: the body decoded, for its dialect alone."""

    route: str
    body: bytes
    model: str
    stream: bool
    messages: tuple[Message, ...]
    new_from: int
    prompt: str = ""
    hosted_tools: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    follows: str = ""
    schemas: Mapping[str, object] = {}
    conversation: str | None = None
    customer: CustomerId | None = None
    customer_paths: tuple[Path, ...] = ()
    trace: str = ""
    channel: str = ""
    region: str = ""
    extra_headers: tuple[tuple[str, str], ...] = ()
    wants_usage: bool = True
    value: Any = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the provider counts them; 0 when it did not say. `made_by`: what the provider says answered, its
    fingerprint after a space, as far as it says it where it counts."""

    input_tokens: int = 0
    output_tokens: int = 0
    made_by: str = ""


class ModelCall(NamedTuple):
    """A tool call that a model asked for, as the client gets it. `name`: the model's. `arguments`: JSON text."""

    name: str
    arguments: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the model said. `history`: canonical bytes of the messages that the client will send back. `reference`: the
    provider's id of the answer, when a later request may lean on it. `calls`: those of `tool_calls` that the client is
    to carry out."""

    body: bytes
    messages: tuple[Message, ...]
    usage: Usage = Usage()
    tool_calls: int = 0
    reference: str = ""
    calls: tuple[ModelCall, ...] = ()


class ReplyIds(msgspec.Struct, frozen=True):
    """What a reply says about itself."""

    interaction: InteractionId
    conversation: ConversationId | None
    release: Digest | None = None


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """How a request goes on: the real model, what the release sets, and which texts were changed."""

    model: str
    changes: Mapping[Leaf, str]
    dropped: Sequence[int] = ()
    prompt: str | None = None  # replaces the client's system and developer texts
    parameters: Mapping[str, object] = {}
    force_parameters: bool = False
    forward_customer: bool = False
    usage_in_stream: bool = True


class Piece(msgspec.Struct, gc=False):
    """One event of a stream, read; at most one lane grows in it. `raw`: the event's own bytes, its blank line included.

    `lane`: a text that grows over many events, such as the content of choice 0; `text` is what it gained, None when
    nothing. `alone`: the event carries nothing but this text, so it need not be sent when the text waits. `ends`: lanes
    that are complete before this event. `extra`: further texts of the event, screened at once. `repeats`: the event
    says again what lanes said (`Codec.settled` puts the cleared text there). `drop`: the client did not ask for it.
    `last`: the terminator, or the event that carries the end of the answer: it waits until the entry is durable.
    `unreadable`: types of the parts in it that no detector can read (a whole answer has them in its messages)."""

    raw: bytes
    lane: str = ""
    channel: Channel = Channel.ASSISTANT
    text: str | None = None
    alone: bool = False
    ends: tuple[str, ...] = ()
    extra: tuple[Leaf, ...] = ()
    repeats: bool = False
    drop: bool = False
    last: bool = False
    value: Any = None
    unreadable: tuple[str, ...] = ()


class Usual(Protocol):
    """What an event looks like that differs from one before in its text alone. `lane`, `channel`: as of a `Piece` that
    is `alone`."""

    @property
    def lane(self) -> str: ...

    @property
    def channel(self) -> Channel: ...

    def read(self, raw: bytes) -> tuple[str, int] | None:
        """What the events of this look at the beginning of `raw` say together, never empty, and where they end; None
        when there is none, or one between them looks otherwise."""
        ...

    def text(self, new: str) -> bytes:
        """The event with another text."""
        ...


class Codec(Protocol):
    """Reads and writes one event stream of one dialect. Sans-I/O; not shared between streams."""

    @property
    def usage(self) -> Usage: ...

    @property
    def reference(self) -> str:
        """The provider's id of the answer, once it is known."""
        ...

    @property
    def tools(self) -> Mapping[str, str]:
        """Lanes of tool-call arguments with the name of the tool."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the model said that it ended, so that a missing terminator is no failure."""
        ...

    @property
    def usual(self) -> Usual | None:
        """What the next chunk most likely is, and then need not be fed. None while an event waits for its rest."""
        ...

    def feed(self, chunk: bytes) -> Iterable[Piece]:
        """Whole events, read one by one as they are taken, so that `blocked` knows what went before. Raises
        HandrailError UPSTREAM_INVALID for an event that is too large or not of the dialect, UPSTREAM_ERROR for an error
        event of the provider."""
        ...

    def text(self, piece: Piece, new: str) -> bytes:
        """The event with another text in its lane, its logprobs dropped."""
        ...

    def more(self, lane: str, text: str) -> bytes:
        """A further event of a lane that has been seen."""
        ...

    def changed(self, piece: Piece, changes: Mapping[Leaf, str]) -> bytes:
        """The event with texts of `extra` replaced."""
        ...

    def settled(self, piece: Piece, sent: Mapping[str, str]) -> bytes:
        """An event that repeats lanes, with what was really sent."""
        ...

    def argument_leaves(self, lane: str, text: str) -> tuple[Leaf, ...]:
        """The texts inside complete arguments."""
        ...

    def with_arguments(self, text: str, changes: Mapping[Leaf, str]) -> str:
        """Arguments with some of their texts replaced."""
        ...

    def terminator(self) -> bytes:
        """What ends a complete stream whose provider sent no terminator."""
        ...

    def blocked(self, sentence: str, code: str, ids: ReplyIds) -> bytes:
        """Ends the stream well-formed: the sentence, the filter reason, the detail, the terminator."""
        ...

    def failed(self, error: HandrailError, ids: ReplyIds) -> bytes:
        """Ends the stream with the dialect's error event."""
        ...

    def said(self, sent: Mapping[str, str]) -> tuple[bytes, ...]:
        """Canonical bytes of the messages that the client will send back, from what every lane sent."""
        ...


class Face(Protocol):
    """One dialect on one route."""

    @property
    def route(self) -> str:
        """The name in the ledger, such as `chat.completions`."""
        ...

    @property
    def path(self) -> str:
        """Below a provider's base URL, such as `/chat/completions`."""
        ...

    @property
    def speaks(self) -> frozenset[Dialect]:
        """Provider dialects that understand this body."""
        ...

    def upstream(self, turn: Turn, how: Upstream) -> bytes:
        """The body for the provider: what no decision touched keeps its bytes."""
        ...

    def answer(self, body: bytes, turn: Turn) -> Answer:
        """Raises HandrailError UPSTREAM_INVALID for a body this dialect does not know."""
        ...

    def rewritten(self, answer: Answer, changes: Mapping[Leaf, str]) -> bytes:
        """The answer with texts put in place; logprobs of changed texts are dropped."""
        ...

    def sentence(self, turn: Turn, text: str, ids: ReplyIds, *, now_s: int) -> bytes:
        """A whole answer that says `text` and ends with the dialect's filter reason."""
        ...

    def sentence_stream(self, turn: Turn, text: str, ids: ReplyIds, *, now_s: int) -> bytes:
        """The same as a complete event stream, terminator included."""
        ...

    def codec(self, turn: Turn) -> Codec:
        """A reader and writer for one stream."""
        ...

    def said(self, texts: Iterable[str]) -> tuple[bytes, ...]:
        """Canonical bytes of an assistant message of these texts, as `Answer.history` and `Message.history` hold it."""
        ...


def canonical(role: Role, texts: Iterable[str]) -> bytes:
    """What recognises a message when the client sends it back: its role and its texts joined, whichever parts they
    came in."""
    return _HEADS[role] + orjson.dumps("".join(texts)) + b"]"


_HEADS = {role: b'["%b",' % role.value.encode() for role in Role}
