"""A draft of `tools/*.yaml` from an OpenAPI document or from what an MCP server lists; pure.

What a document or server says of itself may raise the effect of a tool, never lower it (`home.effects`): the draft
takes the strongest of method, name and hints. A person reads it, says where money stands, and whose the objects are.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from handrail.home.check_schema import KEYWORDS
from handrail.home.effects import by_hints, by_method, by_name, strongest
from handrail.home.fields_tools import TOOL
from handrail.terms.action import CONSEQUENTIAL, ActionType
from handrail.tools.manifest import manifest_of

METHODS = ("get", "head", "put", "post", "delete", "patch")
MAX_NODES = 200_000
"""Values of one draft: a document that refers to itself in many places grows when its references are written out."""
MAX_DEPTH = 16
_REACHES = re.compile(r"(?i)(^|_)(url|uri|link|webhook|callback|email|recipient|to|endpoint|host)s?$")
_AMOUNT = re.compile(r"(?i)(^|_)(amount|total|sum|value|price)$")
_BAD = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Draft:
    """`text`: the file. `tools`: how many. `left_out`: what could not be taken, each with why."""

    text: str
    tools: int
    left_out: tuple[str, ...]


def draft(document: Any, *, upstream: str, base_url: str = "", stdio: bool = False) -> Draft:
    """From an OpenAPI 3 document, or an answer of `tools/list`. `stdio`: the server is a child process. Raises
    ValueError when it is neither."""
    if isinstance(document, Mapping) and "openapi" in document:
        return _openapi(document, upstream, base_url)
    listed = _mcp_tools(document)
    if listed is None:
        raise ValueError("neither an OpenAPI 3 document nor an answer of tools/list")
    return _mcp(listed, upstream, base_url, stdio)


def _mcp_tools(document: Any) -> Sequence[Any] | None:
    """`{tools: [...]}`, a JSON-RPC answer with it, or the bare list."""
    if isinstance(document, Mapping):
        document = document.get("result", document)
    if isinstance(document, Mapping):
        document = document.get("tools")
    return document if isinstance(document, list) else None


def _mcp(listed: Sequence[Any], upstream: str, base_url: str, stdio: bool) -> Draft:
    tools, left_out = CommentedMap(), []
    for one in listed:
        name = one.get("name") if isinstance(one, Mapping) else None
        if not isinstance(name, str) or not re.search(TOOL, name) or name in tools:
            left_out.append(f"{str(name)[:60]!r}: no name that a tool may have, or named twice")
            continue
        hints = one.get("annotations")
        hinted = by_hints(hints) if isinstance(hints, Mapping) else None
        named = by_name(name) or ActionType.WRITE_FINAL  # nobody knows what it does, whatever the server says of it
        kind = strongest(named, hinted, otherwise=named)
        try:
            schema = one.get("inputSchema")
            arguments = _Inliner(schema if isinstance(schema, Mapping) else {}).schema(schema)
        except ValueError as error:
            left_out.append(f"{name}: {error}")
            continue
        tool = _tool(kind, arguments, str(one.get("title") or ""), str(one.get("description") or ""))
        if isinstance(hints, Mapping) and hints.get("openWorldHint") is True:
            tool["outbound"] = True
        tool["manifest"] = str(manifest_of(one))
        tools[name] = tool
        _remarks(tools, name, tool, kind)
    reached = "mcp-stdio" if stdio else "mcp"
    return _written(upstream, reached, "" if stdio else base_url or "https://CHANGE.example/mcp", tools, left_out)


def _openapi(document: Mapping[str, Any], upstream: str, base_url: str) -> Draft:
    tools, left_out = CommentedMap(), []
    inliner = _Inliner(document)
    for path, method, operation, shared in _operations(document):
        name = _name(operation.get("operationId"), method, path)
        if name in tools:
            left_out.append(f"{method.upper()} {path}: the name {name} is taken")
            continue
        try:
            arguments, query, key = _arguments(inliner, operation, shared)
        except ValueError as error:
            left_out.append(f"{method.upper()} {path}: {error}")
            continue
        reads = method in ("get", "head")
        last = None if reads else by_name(path.rsplit("/", 1)[-1])
        kind = strongest(by_method(method), by_name(name), last, otherwise=ActionType.WRITE_FINAL)
        tool = _tool(kind, arguments, str(operation.get("summary") or ""), str(operation.get("description") or ""))
        tool["http"] = {"method": "GET" if method == "head" else method.upper(), "path": path}
        if query:
            tool["http"]["query"] = query
        if key:
            tool["idempotency"] = {"place": "header", "name": key}
        tools[name] = tool
        _remarks(tools, name, tool, kind)
    return _written(upstream, "http", base_url or _server(document), tools, left_out)


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any], Sequence[Any]]]:
    paths = document.get("paths")
    for path, item in (paths if isinstance(paths, Mapping) else {}).items():
        if not isinstance(item, Mapping):
            continue
        for method in METHODS:
            operation = item.get(method)
            if isinstance(operation, Mapping) and not (method == "head" and "get" in item):
                yield str(path), method, operation, item.get("parameters") or ()


def _arguments(
    inliner: "_Inliner", operation: Mapping[str, Any], shared: Sequence[Any]
) -> tuple[dict[str, Any], list[str], str]:
    """The schema of path, query and body together, the names in the query, and the header of an idempotency key.
    Raises ValueError when two of them have one name."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    query: list[str] = []
    key = ""
    by_name: dict[tuple[str, str], Mapping[str, Any]] = {}
    for raw in (*shared, *(operation.get("parameters") or ())):
        one = inliner.target(raw)
        by_name[str(one.get("in")), str(one.get("name"))] = one
    for (place, name), one in by_name.items():
        if place == "header" and "idempotency" in name.lower():
            key = name.lower()
        if place not in ("path", "query"):
            continue
        if name in properties:
            raise ValueError(f"two parameters are called {name}")
        properties[name] = _described(inliner.schema(one.get("schema") or {}), one)
        if place == "query":
            query.append(name)
        if one.get("required") or place == "path":
            required.append(name)
    body = _body(inliner, operation)
    for name, schema in body.get("properties", {}).items():
        if name in properties:
            raise ValueError(f"the body and a parameter are both called {name}")
        properties[name] = schema
    required += [name for name in body.get("required", ()) if name not in required]
    arguments: dict[str, Any] = {"type": "object", "additionalProperties": False}
    if required:
        arguments["required"] = required
    return arguments | {"properties": properties}, query, key


def _body(inliner: "_Inliner", operation: Mapping[str, Any]) -> dict[str, Any]:
    """Its JSON object. Raises ValueError for a body of another form."""
    body = inliner.target(operation.get("requestBody") or {})
    content = body.get("content") or {}
    if not content:
        return {}
    found = next((content[kind] for kind in content if kind.split(";")[0].endswith("json")), None)
    if found is None:
        raise ValueError(f"its body is {', '.join(map(str, content))}, and only JSON can be sent")
    schema = inliner.schema(found.get("schema") or {})
    if schema.get("type", "object") != "object" or any(word in schema for word in ("oneOf", "anyOf", "allOf")):
        raise ValueError("its body is no plain JSON object")
    return schema


def _described(schema: dict[str, Any], parameter: Mapping[str, Any]) -> dict[str, Any]:
    said = parameter.get("description")
    return {**schema, "description": said} if said and "description" not in schema else schema


def _tool(kind: ActionType, arguments: dict[str, Any], title: str, description: str) -> dict[str, Any]:
    arguments = {"type": "object", **arguments}
    arguments.setdefault("additionalProperties", False)
    tool: dict[str, Any] = CommentedMap({"type": kind.value})
    if title.strip():
        tool["title"] = title.strip()[:200]
    if description.strip() and description.strip() != title.strip():
        tool["description"] = description.strip()[:20_000]
    tool["arguments"] = arguments
    if _reaches(arguments):
        tool["outbound"] = True
    return tool


def _reaches(arguments: Mapping[str, Any]) -> bool:
    """Whether an argument is an address outside: then even a read carries something out."""
    for name, schema in (arguments.get("properties") or {}).items():
        shape = schema.get("format", "") if isinstance(schema, Mapping) else ""
        if shape in ("uri", "url", "email", "hostname") or _REACHES.search(str(name)):
            return True
    return False


def _remarks(tools: Any, name: str, tool: Mapping[str, Any], kind: ActionType) -> None:
    """What a person still has to say, as comments above the tool."""
    properties = tool["arguments"].get("properties") or {}
    said = []
    if kind is ActionType.MONEY:
        amounts = [each for each in properties if _AMOUNT.search(str(each))]
        at = amounts[0] if amounts else "PATH"
        said.append(f"say where its amount stands: money: {{amount: {at}, unit: minor or major, currency: CODE}}")
    if kind in CONSEQUENTIAL:
        if "idempotency" not in tool:
            said.append("say how a repeated call is told: idempotency: or outcome:")
        said.append("say whose it is (objects:), which values are traced (consequential_values:), how it is undone")
    if said:
        tools.yaml_set_comment_before_after_key(name, before="\n".join(said), indent=2)


def _name(operation_id: Any, method: str, path: str) -> str:
    written = str(operation_id or f"{method}_{path}")
    name = _BAD.sub("_", written).strip("_-")[:128]
    return name if re.search(TOOL, name) else f"{method}_{name}"[:128]


def _server(document: Mapping[str, Any]) -> str:
    for server in document.get("servers") or ():
        url = str(server.get("url", "")) if isinstance(server, Mapping) else ""
        if url.startswith(("https://", "http://")) and "{" not in url:
            return url.rstrip("/")
    return "https://CHANGE.example"


def _written(upstream: str, kind: str, base_url: str, tools: Any, left_out: Sequence[str]) -> Draft:
    if not tools:
        raise ValueError("there is no tool in it" + (f": {left_out[0]}" if left_out else ""))
    target: dict[str, Any] = {"id": upstream, "kind": kind}
    if base_url:
        target["base_url"] = base_url
    root = CommentedMap({"upstream": target, "tools": tools})
    root.yaml_set_start_comment(
        "A draft: read every line. What a tool does to the world (type) was raised by its method, name and hints,\n"
        "never lowered. Write credential: {env: NAME} below upstream, and trusted: true only when its answers count\n"
        "as the record (never for mail, web pages, or what customers wrote)."
    )
    out = YAML(typ="rt")
    out.width = 110
    out.indent(mapping=2, sequence=4, offset=2)
    text = StringIO()
    out.dump(_blocks(root), text)
    return Draft(text.getvalue(), len(tools), tuple(left_out))


def _blocks(value: Any) -> Any:
    """Short lists of words in one line, as people write them."""
    if isinstance(value, dict):
        for name, one in value.items():
            value[name] = _blocks(one)
    elif isinstance(value, list):
        if all(isinstance(one, str | int | float) for one in value) and len(str(value)) < 90:
            flow = CommentedSeq(value)
            flow.fa.set_flow_style()
            return flow
        return [_blocks(one) for one in value]
    return value


class _Inliner:
    """Schemas of a document with their references written out, since a registration stands by itself. Raises ValueError
    for one that refers to itself, elsewhere, or grows beyond `MAX_NODES`."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._left = MAX_NODES

    def target(self, value: Any) -> Mapping[str, Any]:
        """What a `$ref` stands for, else the value itself."""
        for _ in range(MAX_DEPTH):
            if not isinstance(value, Mapping):
                return {}
            reference = value.get("$ref")
            if reference is None:
                return value
            value = self._at(str(reference))
        raise ValueError("a reference leads nowhere")

    def schema(self, value: Any, depth: int = 0) -> dict[str, Any]:
        """Keywords of JSON Schema only; `nullable` of OpenAPI 3.0 becomes a type."""
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise ValueError("a schema refers to itself, or is nested too deep")
        source = self.target(value)
        made: dict[str, Any] = {}
        for word, one in source.items():
            if word not in KEYWORDS or word in ("$schema", "$id", "$defs", "definitions", "nullable", "example"):
                continue
            made[str(word)] = self._part(str(word), one, depth)
        kind = made.get("type")
        if source.get("nullable") is True and isinstance(kind, str):
            made["type"] = [kind, "null"]
        return made

    def _part(self, word: str, one: Any, depth: int) -> Any:
        if word in ("items", "not", "contains", "additionalProperties", "propertyNames") and isinstance(one, Mapping):
            return self.schema(one, depth + 1)
        if word in ("anyOf", "oneOf", "allOf", "prefixItems") and isinstance(one, list):
            return [self.schema(each, depth + 1) for each in one]
        if word in ("properties", "patternProperties") and isinstance(one, Mapping):
            return {str(name): self.schema(each, depth + 1) for name, each in one.items()}
        if word in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(one, bool):
            raise ValueError(f"{word} is a number since OpenAPI 3.1")
        return one

    def _at(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise ValueError(f"it refers to another document ({reference[:80]})")
        found: Any = self._document
        for part in reference[2:].split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        if found is None:
            raise ValueError(f"{reference[:80]} is not in the document")
        return found
