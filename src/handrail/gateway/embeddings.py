"""OpenAI Embeddings: the texts to embed are screened like any input; the answer holds numbers only.

An embedding cannot say a sentence, so a block is the error `content.blocked`. Input given as token numbers is a part
that no detector can read.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

import msgspec
import orjson

from handrail.gateway import exact
from handrail.gateway.errors import Form
from handrail.gateway.fields import (
    Bounds,
    Sent,
    conversation_of,
    count,
    customer_of,
    invalid,
    object_of,
    onward,
    rest,
    text_of,
)
from handrail.gateway.leaves import edits, fields
from handrail.guard.turn import Answer, Channel, Leaf, Message, Path, ReplyIds, Turn, Upstream, Usage, canonical
from handrail.policy.ruleset import Dialect
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Role

HANDLED: Final = frozenset({"input", "model", "user", "safety_identifier"})
IDENTIFIERS: Final = frozenset({"encoding_format"})
CUSTOMER: Final[tuple[Path, ...]] = (("safety_identifier",), ("user",))
_BASE64: Final = re.compile(rb'"[A-Za-z0-9+/]*={0,2}"')
_ROW_FIELDS: Final = frozenset({"object", "index", "embedding"})


_FIELDS: Final = frozenset({"data", "object", "model", "usage", "id", "created"})
"""All that an answer may hold; anything else could carry text."""

_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ROWS: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


class EmbeddingsFace:
    """`POST /v1/embeddings`."""

    route = "embeddings"
    path = "/embeddings"
    speaks = frozenset({Dialect.OPENAI, Dialect.AZURE})
    form = Form.OPENAI
    reads: frozenset[Channel] = frozenset({Channel.USER, Channel.OTHER})
    says: frozenset[Channel] = frozenset({})
    passed_headers: frozenset[bytes] = frozenset()

    def read(self, body: bytes, value: Any, sent: Sent, bounds: Bounds) -> Turn:
        """Raises HandrailError REQUEST_INVALID with the field's place."""
        value = object_of(value, "body")
        given = value.get("input")
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not texts or len(texts) > bounds.messages:
            raise invalid("input", f"a text or a list of 1 to {bounds.messages} texts")
        leaves: list[Leaf] = []
        unreadable: tuple[str, ...] = ()
        for place, text in enumerate(texts):
            if isinstance(text, str):
                path: Path = ("input",) if isinstance(given, str) else ("input", place)
                leaves += [Leaf(Channel.USER, text, path)] if text else []
            elif isinstance(text, int | list):
                unreadable = ("tokens",)
            else:
                raise invalid(f"input[{place}]", "a text or token numbers")
        customer, customer_paths = customer_of(sent, value, CUSTOMER)
        said = canonical(Role.USER, [leaf.text for leaf in leaves])
        return Turn(
            route=self.route,
            body=body,
            model=text_of(value.get("model"), "model"),
            stream=False,
            messages=(
                Message(Role.USER, tuple(leaves), said, unreadable),
                Message(Role.USER, tuple(rest(value, HANDLED, IDENTIFIERS))),
            ),
            new_from=0,
            conversation=conversation_of(sent, None, "", None),
            customer=customer,
            customer_paths=customer_paths,
            trace=sent.trace,
            channel=sent.channel,
            region=sent.region,
            extra_headers=sent.extra_headers,
            value=value,
        )

    def upstream(self, turn: Turn, how: Upstream) -> bytes:
        """The body for the provider; a release's prompt and parameters are for chat and do not apply."""
        return exact.change(turn.body, onward(turn, msgspec.structs.replace(how, parameters={})))

    def answer(self, body: bytes, turn: Turn) -> Answer:
        """Raises HandrailError UPSTREAM_INVALID for anything but numbers (or base64) under the known names, each given
        once."""
        try:
            given = _OBJECT.decode(body)
            rows = _ROWS.decode(given["data"])
            head = {name: exact.said(bytes(raw)) for name, raw in given.items() if name != "data"}
            plain = given.keys() <= _FIELDS and _once(body, given) and all(map(_row, rows))
            plain = plain and bytes(given["data"]).count(b'"') == sum(map(_quotes, rows))
        except (msgspec.DecodeError, orjson.JSONDecodeError, KeyError, HandrailError):
            plain = False
        if not plain:
            raise HandrailError(Code.UPSTREAM_INVALID, "the provider's answer is no list of embeddings")
        leaves: list[Leaf] = []
        fields(head, (), Channel.ASSISTANT, leaves, but=("created",))
        messages = (Message(Role.ASSISTANT, tuple(leaves)),) if leaves else ()
        return Answer(body=body, messages=messages, usage=Usage(count(head.get("usage"), "prompt_tokens"), 0))

    def rewritten(self, answer: Answer, changes: Mapping[Leaf, str]) -> bytes:
        return exact.change(answer.body, edits(changes, answer.body))

    def sentence(self, turn: Turn, text: str, ids: ReplyIds, *, now_s: int) -> NoReturn:
        """Raises HandrailError BLOCKED."""
        raise HandrailError(Code.BLOCKED, text or "the text to embed was blocked")

    def sentence_stream(self, turn: Turn, text: str, ids: ReplyIds, *, now_s: int) -> NoReturn:
        """Raises HandrailError BLOCKED."""
        raise HandrailError(Code.BLOCKED, text or "the text to embed was blocked")

    def codec(self, turn: Turn) -> NoReturn:
        """Raises HandrailError REQUEST_INVALID: embeddings do not stream."""
        raise HandrailError(Code.REQUEST_INVALID, "stream: embeddings do not stream")

    def said(self, texts: Iterable[str]) -> tuple[bytes, ...]:
        return ()


def _quotes(row: Mapping[str, msgspec.Raw]) -> int:
    return 2 * len(row) + sum(bytes(raw).count(b'"') for raw in row.values())


def _once(body: bytes, fields: Mapping[str, msgspec.Raw]) -> bool:
    """Whether no field was dropped as a duplicate: it would have taken its quotes with it."""
    return b'\\"' not in body and b"\\u0022" not in body and body.count(b'"') == _quotes(fields)


def _row(row: Mapping[str, msgspec.Raw]) -> bool:
    """One embedding and where it belongs, no text."""
    known = row.keys() <= _ROW_FIELDS and bytes(row.get("object", b'"embedding"')) == b'"embedding"'
    return known and _numbers(bytes(row["embedding"])) and bytes(row.get("index", b"0")).isdigit()


def _numbers(raw: bytes) -> bool:
    """A list of numbers, or base64."""
    if raw[:1] == b"[":
        return b'"' not in raw
    return _BASE64.fullmatch(raw) is not None
