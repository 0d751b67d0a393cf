"""Which addresses a person may keep as a view: those of pages of ours that she may open, with what the page takes.

Pure. An address that does not fit is refused, never mended into another: a foreign one, a page that is not hers, a
download, a question that names a customer (her own bookmarks are not sealed, and an erasure would not find them).
"""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

import msgspec

from handrail.console.places import row_of
from handrail.console.routes import Route
from handrail.console.security import local
from handrail.people.role import Role
from handrail.terms.errors import Code, HandrailError

PASSING = frozenset({"part", "last", "seen", "read_reason", "cursor", "after", "before", "page"})
"""What belongs to one look and not to a view."""
PERSONAL = frozenset({"customer", "text"})
"""What may name a customer."""
UNSAVED = frozenset({"saved", "error", "search", "interactions.customer"})


def kept(address: str, rows: Sequence[Route], roles: Iterable[Role]) -> str:
    """The address as it is stored. Raises HandrailError REQUEST_INVALID."""
    address = address.partition("#")[0]
    row = page_of(address, rows, roles)
    if row is None:
        raise HandrailError(Code.REQUEST_INVALID, "this is no address of a page that can be saved")
    path, _, query = address.partition("?")
    fields = {field.encode_name: field for field in msgspec.structs.fields(row.asks)}
    given: dict[str, Any] = {}
    pairs = []
    for name, value in parse_qsl(query, max_num_fields=100):
        if name in PASSING:
            continue
        if name in PERSONAL:
            raise HandrailError(
                Code.REQUEST_INVALID, "a view that may name a customer is not saved: nobody could erase it here"
            )
        if name not in fields:
            raise HandrailError(Code.REQUEST_INVALID, "this is no address of a page that can be saved")
        pairs.append((name, value))
        if "tuple" in str(fields[name].type):
            given.setdefault(name, []).append(value)
        else:
            given[name] = value
    try:
        msgspec.convert({**given, **_places(row, path)}, row.asks, strict=False)
    except msgspec.ValidationError:
        raise HandrailError(Code.REQUEST_INVALID, "this is no address of a page that can be saved") from None
    return f"{path}?{urlencode(pairs)}" if pairs else path


def page_of(address: str, rows: Sequence[Route], roles: Iterable[Role]) -> Route | None:
    """The page that this address opens for these roles; None: none that could be kept."""
    if local(address) != address or "/../" in unquote(address):
        return None
    row = row_of([one for one in rows if not one.changes], address)
    if row is None or row.public or not row.template or row.fresh or row.page in UNSAVED or row.name in UNSAVED:
        return None
    return row if row.roles & frozenset(roles) else None


def _places(row: Route, path: str) -> dict[str, str]:
    pairs = zip(row.path.split("/"), path.split("/"), strict=False)
    return {piece.strip("{}").removesuffix(":path"): unquote(part) for piece, part in pairs if piece[:1] == "{"}
