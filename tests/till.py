"""A target system in a process of its own: it pays refunds and keeps notes, and writes every effect to a file.

`python till.py --log FILE [--forgets] [--arrivals FILE]`: prints its address. `--forgets`: it takes no keys. An order
`slow-MS-...` is answered only MS milliseconds after its effect; `late-MS-...` has its effect only MS milliseconds after
it came; `lost-...` is never answered. `GET /refunds/KEY` tells what became of a key. `--arrivals`: keys as they come.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from typing import Any


class Till:
    def __init__(self, log: str, honours: bool, arrivals: str) -> None:
        self._arrivals = os.open(arrivals, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if arrivals else None
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._honours = honours
        self._by_key: dict[str, Any] = {}
        self._count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            method, path, _ = lines[0].split(" ")
            if self._arrivals is not None and method != "GET":
                os.write(self._arrivals, headers.get("idempotency-key", path).encode() + b"\n")
            if method != "GET":
                await asyncio.sleep(_ms(path, "late-"))
            status, answer, wait_s = self._act(method, path, headers, body)
            if wait_s is None:
                return
            await asyncio.sleep(wait_s)
            data = json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, len(data)) + data)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    def _act(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any, float | None]:
        key = headers.get("idempotency-key", "")
        parts = path.strip("/").split("/")
        if method == "GET":
            known = parts[-1] in self._by_key
            return 200, {"found": known, "refund": self._by_key.get(parts[-1])}, 0.0
        if headers.get("authorization") != "Bearer till-secret":
            return 401, {"error": "who are you"}, 0.0
        if self._honours and key and key in self._by_key:
            return 200, self._by_key[key], 0.0
        self._count += 1
        answer = {"id": f"ef_{self._count}", **json.loads(body or b"{}")}
        self._by_key[key] = answer
        os.write(
            self._log,
            json.dumps({"path": path, "key": key, "at": time.time(), "body": json.loads(body or b"{}")}).encode()
            + b"\n",
        )
        order = parts[1] if len(parts) > 1 else ""
        if order.startswith("lost-"):
            return 200, answer, None
        return 200, answer, _ms(path, "slow-")


def _ms(path: str, word: str) -> float:
    """Seconds that the order in the path asks for."""
    parts = path.strip("/").split("/")
    order = parts[1] if len(parts) > 1 else ""
    return int(order.split("-")[1]) / 1_000 if order.startswith(word) else 0.0


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--forgets", action="store_true")
    parser.add_argument("--arrivals", default="")
    given = parser.parse_args()
    till = Till(given.log, not given.forgets, given.arrivals)
    server = await asyncio.start_server(till.serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
