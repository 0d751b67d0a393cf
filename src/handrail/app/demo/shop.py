"""The demo's shop: orders, refunds, addresses, and books of its own; a real HTTP server in a process of its own.

`python -m handrail.app.demo.shop --orders FILE --key FILE`: prints its address. Nobody acts on it without the key, and
a refund with an `Idempotency-Key` that it knows is answered, not paid again. `GET /books` is what the demo compares
with handrail's register.
"""

import argparse
import json
import sys
import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Answer = tuple[int, dict[str, Any]]


class Shop:
    """`orders`: by number. Amounts are decimal EUR outside and cents inside."""

    def __init__(self, orders: dict[str, dict[str, Any]]) -> None:
        self._orders = orders
        self._refunds: dict[str, dict[str, Any]] = {}
        self._addresses = 0
        self._lock = threading.Lock()

    def get(self, path: list[str]) -> Answer:
        with self._lock:
            match path:
                case ["orders", number] if number in self._orders:
                    return 200, self._shown(number)
                case ["refunds", key]:
                    return 200, {"found": key in self._refunds, "refund": self._refunds.get(key)}
                case ["books"]:
                    paid = sum(refund["cents"] for refund in self._refunds.values())
                    return 200, {"refunds": len(self._refunds), "cents": paid, "addresses": self._addresses}
        return 404, {"error": "there is no such thing here"}

    def post(self, path: list[str], body: dict[str, Any], key: str) -> Answer:
        with self._lock:
            match path:
                case ["orders", number, "refunds"] if number in self._orders:
                    return self._refund(number, body, key)
                case ["orders", number, "address"] if number in self._orders:
                    self._orders[number]["address"] = {name: body[name] for name in ("street", "postcode", "city")}
                    self._addresses += 1
                    return 200, {"order": number, "address": self._orders[number]["address"]}
        return 404, {"error": "there is no such thing here"}

    def _refund(self, number: str, body: dict[str, Any], key: str) -> Answer:
        if key not in self._refunds:
            cents = int(Decimal(str(body["amount"])).scaleb(2))
            receipt = f"RF-{len(self._refunds) + 1:04d}"
            self._refunds[key] = {"receipt": receipt, "order": number, "amount": body["amount"], "cents": cents}
        return 200, self._refunds[key]

    def _shown(self, number: str) -> dict[str, Any]:
        back = sum(refund["cents"] for refund in self._refunds.values() if refund["order"] == number)
        return {"order": number, **self._orders[number], "refunded": back / 100}


def handler(shop: Shop, secret: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._say(*shop.get(self._path()))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))) or b"{}")
            if self.headers.get("authorization") != f"Bearer {secret}":
                self._say(401, {"error": "only handrail has the key"})
                return
            self._say(*shop.post(self._path(), body, self.headers.get("idempotency-key", "")))

        def _path(self) -> list[str]:
            return self.path.strip("/").split("/")

        def _say(self, status: int, answer: dict[str, Any]) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Nothing: the demo shows what happened."""

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", required=True, type=Path)
    parser.add_argument("--key", required=True, type=Path)
    given = parser.parse_args()
    shop = Shop(json.loads(given.orders.read_text()))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(shop, given.key.read_text().strip()))
    print(f"the shop is open: http://127.0.0.1:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
