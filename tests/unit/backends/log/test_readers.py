"""A log read over HTTP and from an export, and checked there by a stranger."""

import threading
import zipfile
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from fakes.log import LOG_KEY, TRUST, FakeRecords, Published, publish

from handrail.backends.log.export import Export, export
from handrail.backends.log.http import MAX_ANSWER, HttpLog
from handrail.ledger.tree import BadProof
from handrail.ledger.verify import BadLog, verify
from handrail.terms.errors import Code, HandrailError

log = cache(publish)


class Handler(BaseHTTPRequestHandler):
    """Serves `files` below /log/; `strange` answers a path with something else."""

    protocol_version = "HTTP/1.1"
    files: dict[str, bytes]
    strange: dict[str, tuple[int, bytes, int]]
    connections: set[int]

    def do_GET(self) -> None:
        path = self.path.removeprefix("/log/")
        type(self).connections.add(self.client_address[1])
        data = self.files.get(path) if self.path.startswith("/log/") else None
        status, length = (404, 0) if data is None else (200, len(data))
        if path in self.strange:
            status, data, length = self.strange[path]
        self.send_response(status)
        self.send_header("content-length", str(length))
        if status == 302:
            self.send_header("location", "/elsewhere")
        self.end_headers()
        self.wfile.write(data or b"")
        self.close_connection = length > len(data or b"")

    def log_request(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, type[Handler]]]:
    handler = type("OneHandler", (Handler,), {"files": dict(log(300).files), "strange": {}, "connections": set()})
    serving = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}/log/", handler
    serving.shutdown()
    thread.join()
    serving.server_close()


@pytest.mark.promise("LED-9")
@pytest.mark.parametrize("ending", ["", "/"])
def test_a_log_is_verified_over_http_on_one_connection(server: tuple[str, type[Handler]], ending: str) -> None:
    url, handler = server
    with HttpLog(url.rstrip("/") + ending) as remote:
        assert verify(remote.read, TRUST).entries == 300
    assert len(handler.connections) == 1


def test_a_changed_bundle_is_named_over_http(server: tuple[str, type[Handler]]) -> None:
    url, handler = server
    data = bytearray(handler.files["tile/entries/001.p/44"])
    data[-1] ^= 1
    handler.files["tile/entries/001.p/44"] = bytes(data)
    with HttpLog(url) as remote, pytest.raises(BadLog) as caught:
        verify(remote.read, TRUST)
    assert caught.value.index == 299


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((500, b"", 0), Code.UPSTREAM_ERROR),
        ((302, b"", 0), Code.UPSTREAM_ERROR),
        ((200, b"half", 8), Code.UPSTREAM_UNREACHABLE),
        ((200, bytes(MAX_ANSWER + 1), MAX_ANSWER + 1), Code.UPSTREAM_ERROR),
    ],
    ids=["error", "redirect", "cut", "too long"],
)
def test_a_strange_answer_is_an_error_and_never_a_log(
    server: tuple[str, type[Handler]], answer: tuple[int, bytes, int], code: Code
) -> None:
    url, handler = server
    handler.strange["checkpoint"] = answer
    with HttpLog(url) as remote, pytest.raises(HandrailError) as caught:
        remote.read("checkpoint")
    assert caught.value.code is code
    del handler.strange["checkpoint"]
    assert remote.read("checkpoint") == handler.files["checkpoint"]
    remote.close()


def test_what_is_not_there_is_none_and_what_is_no_log_path_is_never_asked(server: tuple[str, type[Handler]]) -> None:
    url, handler = server
    with HttpLog(url) as remote:
        assert remote.read("tile/0/777") is None
        handler.connections.clear()
        assert remote.read("../secret") is None
        assert not handler.connections
        assert remote.read("checkpoint") is not None


def test_a_server_that_is_gone_is_an_error() -> None:
    with HttpLog("http://127.0.0.1:1/log/", timeout_s=2) as remote, pytest.raises(HandrailError) as caught:
        remote.read("checkpoint")
    assert caught.value.code is Code.UPSTREAM_UNREACHABLE


@pytest.mark.parametrize("url", ["file:///etc/passwd", "https://", "log", "http://h/log?x=1"])
def test_only_an_http_address_is_taken(url: str) -> None:
    with pytest.raises(HandrailError, match="address of a log"):
        HttpLog(url)


@pytest.mark.promise("LED-9")
@pytest.mark.parametrize("name", ["out", "out.zip"])
@pytest.mark.parametrize("payloads", [False, True])
@pytest.mark.parametrize("size", [1, 256, 300, 700])
def test_an_export_verifies_with_its_facts(tmp_path: Path, name: str, payloads: bool, size: int) -> None:
    made = log(size)
    done = export(made.read, made.records, tmp_path / name, keys=[LOG_KEY.verifier], payloads=payloads)
    held = sum(row.payload is not None for row in made.rows)
    assert (done.size, done.payloads) == (size, held if payloads else 0)
    opened = Export(tmp_path / name)
    report = verify(opened.read, TRUST, records=opened)
    assert (report.facts, report.payloads, report.payloads_absent) == (size, done.payloads, held - done.payloads)
    assert opened.keys() == [LOG_KEY.verifier.encode()]
    assert opened.has_records
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_an_export_of_a_log_that_grew_meanwhile_is_cut_to_its_checkpoint(tmp_path: Path) -> None:
    old, new = log(300), log(700)
    files = new.files | old.files  # and what the sequencer drops once the full form is published:
    for path in ("tile/0/001.p/44", "tile/entries/001.p/44"):
        del files[path]
    grown = Published(files, new.leaves, new.rows)
    export(grown.read, grown.records, tmp_path / "out.zip", keys=[])
    opened = Export(tmp_path / "out.zip")
    assert verify(opened.read, TRUST, records=opened).facts == 300


def test_a_record_changed_in_an_export_is_named(tmp_path: Path) -> None:
    export(log(300).read, log(300).records, tmp_path / "out", keys=[], payloads=True)
    file = tmp_path / "out" / "facts" / "001.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"latency_ms":900', b'"latency_ms":901', 3))
    opened = Export(tmp_path / "out")
    with pytest.raises(BadLog) as caught:
        verify(opened.read, TRUST, records=opened)
    assert (caught.value.index, caught.value.id) == (256, f"ent_{256:026d}")
    (tmp_path / "out" / "facts" / "001.jsonl").unlink()
    (tmp_path / "out" / "payloads" / "001.bin").unlink()
    with pytest.raises(BadLog) as caught:
        verify(opened.read, TRUST, records=opened)
    assert caught.value.index == 256


def test_an_erased_payload_stays_absent_in_an_export(tmp_path: Path) -> None:
    rows = [msgspec.structs.replace(row, payload=None) if row.index == 3 else row for row in log(7).rows]
    export(log(7).read, FakeRecords(rows), tmp_path / "out.zip", keys=[], payloads=True)
    opened = Export(tmp_path / "out.zip")
    report = verify(opened.read, TRUST, records=opened)
    assert (report.payloads, report.payloads_absent) == (5, 1)


@pytest.mark.parametrize("cut", [1, 5])
def test_a_cut_payload_file_is_an_error(tmp_path: Path, cut: int) -> None:
    export(log(7).read, log(7).records, tmp_path / "out", keys=[], payloads=True)
    file = tmp_path / "out" / "payloads" / "000.bin"
    file.write_bytes(file.read_bytes()[:-cut])
    with pytest.raises(ValueError, match=r"payloads/000\.bin"):
        Export(tmp_path / "out").records(0, 7)
    opened = Export(tmp_path / "out")
    with pytest.raises(BadLog, match="cannot be read"):
        verify(opened.read, TRUST, records=opened)


def test_an_export_never_replaces_a_file_and_never_stays_half(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError):
        export(log(7).read, log(7).records, tmp_path / "out", keys=[])
    broken = Published({**log(300).files}, [], log(300).rows)
    del broken.files["tile/entries/001.p/44"]
    with pytest.raises(BadProof, match="missing"):
        export(broken.read, broken.records, tmp_path / "half.zip", keys=[])
    assert not (tmp_path / "half.zip").exists()
    with pytest.raises(BadProof, match="no checkpoint"):
        export({}.get, broken.records, tmp_path / "none.zip", keys=[])


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Export(tmp_path / "nothing")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(ValueError, match="neither a folder nor a zip"):
        Export(tmp_path / "file")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("a", b"b")
    with pytest.raises(ValueError, match="no log/checkpoint"):
        Export(tmp_path / "other.zip")


def test_equal_content_gives_equal_zip_files(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        export(log(300).read, log(300).records, tmp_path / name, keys=[LOG_KEY.verifier])
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
