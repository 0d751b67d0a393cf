"""An answer of embeddings carries numbers; whatever else could stand in it is refused or read."""

import asyncio

import orjson
import pytest
from tests.fakes.dialects import embedding
from tests.fakes.gateway import Got, world
from tests.fakes.guard import Answering

CARD = b"4111 1111 1111 1111"


def answered(body: bytes) -> Got:
    w = world(lambda request: Answering([body]))
    return asyncio.run(w.post("/v1/embeddings", {"model": "support", "input": "Hello there."}))


@pytest.mark.promise("GTW-7")
def test_numbers_and_base64_pass_byte_for_byte() -> None:
    for body in (
        embedding(),
        embedding().replace(b"[0.1,-0.25,0.5]", b'"' + b"QUJD" * 40 + b'"'),
        embedding().replace(b"text-embedding-3-small", b"BAAI/bge-m3"),
    ):
        got = answered(body)
        assert (got.status, got.body) == (200, body)


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"object":"list"', b'"object":"list","note":"' + CARD + b'"'),
        (b'"object":"list"', b'"object":"' + CARD + b'","object":"list"'),
        (b'"object":"embedding"', b'"object":"' + CARD + b'"'),
        (b'"index":0', b'"index":"' + CARD + b'"'),
        (b'"embedding":[', b'"embedding":"' + CARD + b'","embedding":['),
        (b'"total_tokens":8', b'"total_tokens":8,"total_tokens":"' + CARD + b'"'),
        (b"[0.1,", b'["' + CARD + b'",'),
    ],
)
def test_text_in_an_answer_is_no_list_of_embeddings(old: bytes, new: bytes) -> None:
    got = answered(embedding().replace(old, new, 1))
    assert got.status == 502, got.body
    assert CARD not in got.body


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"text-embedding-3-small", CARD),
        (b'"prompt_tokens":8', b'"prompt_tokens":8,"note":"' + CARD + b'"'),
    ],
)
def test_text_beside_the_numbers_is_masked(old: bytes, new: bytes) -> None:
    got = answered(embedding().replace(old, new, 1))
    assert got.status == 200, got.body
    assert CARD not in got.body
    assert orjson.loads(got.body)["data"] == orjson.loads(embedding())["data"]
