"""What a client reads from a connection of HTTP/1.1, answer by answer, with the framing checked."""

import asyncio
from typing import Any

import httptools


class Answers:
    """What a client reads, answer by answer."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._parser: Any = None
        self.status, self.headers, self.body, self.over = 0, dict[str, str](), b"", False
        self._rest = b""

    async def next(self, *, bodiless: bool = False) -> "Answers":
        """The next answer, read whole; `status` 0 when the connection ended before one. Raises for broken framing."""
        self.status, self.headers, self.body, self.over = 0, {}, b"", False
        head, self._rest = self._rest, b""
        while b"\r\n\r\n" not in head:
            more = await self._reader.read(65_536)
            if not more:
                assert not head
                return self
            head += more
        top, _, rest = head.partition(b"\r\n\r\n")
        lines = top.decode().split("\r\n")
        assert lines[0].startswith("HTTP/1.1 ")
        self.status = int(lines[0].split(" ")[1])
        self.headers = dict(line.split(": ", 1) for line in lines[1:])
        if bodiless:
            self._rest = rest
            return self
        length = int(self.headers["content-length"]) if "content-length" in self.headers else None
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(top + b"\r\n\r\n")
        if length is not None:
            while len(rest) < length:
                more = await self._reader.read(65_536)
                assert more, "the body broke off"
                rest += more
            self.body, self._rest = rest[:length], rest[length:]
            return self
        while not self.over:
            parser.feed_data(rest)
            if not self.over:
                rest = await self._reader.read(65_536)
                assert rest, "the body broke off"
        return self

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.over = True
