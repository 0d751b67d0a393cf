"""A tree held against the declared fields: plain values, the place of each, and every mistake; pure.

The declarations are types (`home.fields`), read through `msgspec.inspect`, so that what is checked, what the JSON
Schema says and what the reference prints cannot differ.
"""

import math
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias

from msgspec import inspect

from handrail.home.mistake import Mistake, Place, did_you_mean, mistake
from handrail.home.tree import Listing, Mapping, Node, Scalar

Path: TypeAlias = tuple[str | int, ...]

SECRET = re.compile(
    r"(?:\bsk-[A-Za-z0-9_-]{12,}|\bAKIA[0-9A-Z]{12,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|\bAIza[0-9A-Za-z_-]{20,}|\bh[rpo]_[a-z2-7]{16}_|-----BEGIN [A-Z ]*PRIVATE KEY|\bBearer\s+[A-Za-z0-9._-]{12,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.|[a-z][a-z0-9+.-]*://[^\s/@:]+:[^\s/@]+@)"
)
"""Shapes of secrets that people paste: keys of model and cloud vendors, ours, tokens, passwords inside a URL."""

SECRET_FIELDS: Final = frozenset(
    {"key", "api_key", "apikey", "api-key", "secret", "token", "password", "authorization"}
)

_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Fitted:
    """`value`: plain dicts, lists and scalars, without whatever was mistaken. `places`: path to where its value
    stands. `keys`: path to where its name stands."""

    file: str
    value: Any
    places: dict[Path, Place]
    keys: dict[Path, Place]
    mistakes: list[Mistake]

    def place(self, *path: str | int) -> Place:
        """Of the value, or of the nearest thing around it that stands in the file."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return self.places.get((), Place(self.file, 1, 1))

    def key(self, *path: str | int) -> Place:
        return self.keys.get(path) or self.place(*path)


def fit(file: str, root: Node | None, declared: type) -> Fitted:
    """`declared`: a Struct of `home.fields`."""
    walk = _Walk(file)
    shape = inspect.type_info(declared)
    if root is None or (isinstance(root, Scalar) and root.value is None):
        place = Place(file, 1, 1)
        walk.say(place, "file.empty", f"{file} is empty", expected=expected(shape))
        value: Any = {}
    else:
        value = walk.value(root, shape, ())
        walk.secrets(root)
    return Fitted(file, {} if value is _ABSENT else value, walk.places, walk.keys, walk.mistakes)


def shown(raw: str) -> str:
    """A value as a message may repeat it: never a secret, never long."""
    if SECRET.search(raw):
        return "this value"
    raw = raw.replace("\n", " ")
    return f'"{raw}"' if len(raw) <= 40 else f'"{raw[:37]}..."'


def expected(shape: inspect.Type) -> str:
    """What a type wants, in words."""
    match shape:
        case inspect.Metadata(type=inner, extra=extra):
            return str(extra["expected"]) if extra and "expected" in extra else expected(inner)
        case inspect.UnionType(types=types):
            return " or ".join(expected(item) for item in types if not isinstance(item, inspect.NoneType))
        case inspect.EnumType(cls=cls):
            names = [str(item.value) for item in cls]
            return f"one of {', '.join(names)}" if len(names) <= 22 else "a kind of finding (handrail scan --kinds)"
        case inspect.IntType() | inspect.FloatType():
            return _number(shape)
        case inspect.BoolType():
            return "true or false"
        case inspect.AnyType():
            return "any value"
        case inspect.VarTupleType(item_type=item):
            return f"a list, each {expected(item)}"
        case inspect.DictType(key_type=key):
            return f"a mapping; each key {expected(key)}"
        case inspect.StructType(fields=fields):
            required = ", ".join(item.encode_name for item in fields if item.required)
            return f"a mapping with {required or 'the fields of the reference'}"
        case _:
            return "a text"


def _number(shape: inspect.IntType | inspect.FloatType) -> str:
    word = "a whole number" if isinstance(shape, inspect.IntType) else "a number"
    if shape.ge is not None and shape.le is not None:
        return f"{word} from {shape.ge:g} to {shape.le:g}"
    return f"{word} of at least {shape.ge:g}" if shape.ge is not None else word


@dataclass(slots=True)
class _Walk:
    file: str
    places: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def say(self, place: Place, code: str, message: str, *, expected: str = "", hint: str = "") -> None:
        self.mistakes.append(mistake(place, code, message, expected=expected, hint=hint))

    def value(self, node: Node, shape: inspect.Type, path: Path) -> Any:
        self.places[path] = node.place
        words = expected(shape)
        while isinstance(shape, inspect.Metadata):
            shape = shape.type
        if isinstance(shape, inspect.UnionType):
            chosen = _choose(node, shape)
            if chosen is None:
                return self._wrong(node, words, path)
            return self.value(node, chosen, path)
        match node, shape:
            case _, inspect.AnyType():
                return self._plain(node, path)
            case Mapping(), inspect.StructType():
                return self._struct(node, shape, path)
            case Mapping(), inspect.DictType():
                return self._dict(node, shape, path)
            case Listing(), inspect.VarTupleType():
                return self._list(node, shape, path)
            case Scalar(), _:
                return self._scalar(node, shape, words, path)
            case _:
                return self._wrong(node, words, path)

    def secrets(self, node: Node) -> None:
        """A pasted secret anywhere in the file."""
        match node:
            case Mapping(items=items):
                for _, value in items:
                    self.secrets(value)
            case Listing(items=nodes):
                for item in nodes:
                    self.secrets(item)
            case Scalar(raw=raw):
                if SECRET.search(raw):
                    self.say(
                        node.place,
                        "secret.inline",
                        "this looks like a secret, and secrets never stand in the home",
                        hint="put it into the environment or a file and name that here; then change the secret",
                    )

    def _wrong(self, node: Node, words: str, path: Path) -> Any:
        name = _name(path)
        match node:
            case Scalar(value=None):
                self.say(node.place, "value.empty", f"{name} is empty", expected=words)
            case Scalar():
                self.say(node.place, "value.type", f"{name} cannot be {shown(node.raw)}", expected=words)
            case Listing():
                self.say(node.place, "value.type", f"{name} cannot be a list", expected=words)
            case Mapping():
                self.say(node.place, "value.type", f"{name} cannot be a mapping", expected=words)
        return _ABSENT

    def _struct(self, node: Mapping, shape: inspect.StructType, path: Path) -> Any:
        fields = {item.encode_name: item for item in shape.fields}
        result: dict[str, Any] = {}
        for key, value in node.items:
            name = str(key.raw)
            here = (*path, name)
            self.keys[here] = key.place
            declared = fields.get(name)
            if declared is None:
                self._unknown(key, name, path, fields.keys())
                continue
            if isinstance(value, Scalar) and value.value is None and not declared.required:
                continue
            found = self.value(value, declared.type, here)
            if found is not _ABSENT:
                result[name] = found
        self._missing(node, fields, path)
        return result

    def _missing(self, node: Mapping, fields: dict[str, inspect.Field], path: Path) -> None:
        given = {key.raw for key, _ in node.items}
        for name, declared in fields.items():
            if declared.required and name not in given:
                place = self.keys.get(path, node.place)
                self.say(
                    place, "field.missing", f'"{name}" is missing{_within(path)}', expected=expected(declared.type)
                )

    def _unknown(self, key: Scalar, name: str, path: Path, known: Any) -> None:
        if name.lower() in SECRET_FIELDS:
            self.say(
                key.place,
                "secret.inline",
                f'"{name}" does not exist{_within(path)}: secrets never stand in the home',
                hint="write key_env: NAME_OF_THE_VARIABLE or key_file: PATH",
            )
        elif name == "<<":
            self.say(key.place, "yaml.merge", "merge keys (<<) are not supported", hint="write the fields out")
        else:
            hint = did_you_mean(name, known) or f"known here: {', '.join(sorted(known))}"
            self.say(key.place, "field.unknown", f"{shown(name)} does not exist{_within(path)}", hint=hint)

    def _dict(self, node: Mapping, shape: inspect.DictType, path: Path) -> Any:
        result: dict[str, Any] = {}
        for key, value in node.items:
            here = (*path, key.raw)
            self.keys[here] = key.place
            good = self._key(key, shape.key_type, path)
            found = self.value(value, shape.value_type, here)
            if good and found is not _ABSENT:
                result[key.raw] = found
        if shape.min_length and len(node.items) < shape.min_length:
            self.say(node.place, "value.few", f"{_name(path)} needs at least {shape.min_length}")
        return result

    def _key(self, key: Scalar, shape: inspect.Type, path: Path) -> bool:
        words = expected(shape)
        while isinstance(shape, inspect.Metadata):
            shape = shape.type
        if isinstance(shape, inspect.EnumType):
            names = [str(item.value) for item in shape.cls]
            if key.raw not in names:
                hint = did_you_mean(key.raw, names)
                self.say(
                    key.place, "key.unknown", f"{shown(key.raw)} is unknown{_within(path)}", expected=words, hint=hint
                )
                return False
        elif isinstance(shape, inspect.StrType) and shape.pattern and not re.search(shape.pattern, key.raw):
            self.say(key.place, "value.form", f"{shown(key.raw)} cannot be a name{_within(path)}", expected=words)
            return False
        return True

    def _list(self, node: Listing, shape: inspect.VarTupleType, path: Path) -> Any:
        result = []
        first: dict[str, int] = {}
        for place, item in enumerate(node.items):
            found = self.value(item, shape.item_type, (*path, place))
            if found is _ABSENT:
                continue
            if isinstance(item, Scalar) and item.raw in first:
                self.say(
                    item.place, "list.repeated", f"{shown(item.raw)} stands twice in {_name(path)}", hint="delete one"
                )
            elif isinstance(item, Scalar):
                first[item.raw] = place
            result.append(found)
        if shape.min_length and len(node.items) < shape.min_length:
            self.say(node.place, "value.few", f"{_name(path)} needs at least {shape.min_length}")
        return result

    def _scalar(self, node: Scalar, shape: inspect.Type, words: str, path: Path) -> Any:
        match shape:
            case inspect.StrType():
                return self._text(node, shape, words, path)
            case inspect.EnumType(cls=cls):
                return self._enum(node, cls, words, path)
            case inspect.BoolType() if isinstance(node.value, bool):
                return node.value
            case inspect.IntType() | inspect.FloatType():
                return self._count(node, shape, words, path)
            case _:
                return self._wrong(node, words, path)

    def _text(self, node: Scalar, shape: inspect.StrType, words: str, path: Path) -> Any:
        if node.value is None:
            return self._wrong(node, words, path)
        if not isinstance(node.value, str) and shape.pattern and not re.search(shape.pattern, node.raw):
            return self._wrong(node, words, path)  # quotes would not mend it
        if not isinstance(node.value, str):
            self.say(
                node.place, "value.quotes", f"{_name(path)} is a text, and {node.raw} is not one without quotes",
                expected=words, hint=f'write "{node.raw}"',
            )  # fmt: skip
            return _ABSENT
        if not node.value.strip():
            self.say(node.place, "value.empty", f"{_name(path)} is empty", expected=words)
            return _ABSENT
        if shape.pattern and not re.search(shape.pattern, node.value):
            self.say(node.place, "value.form", f"{_name(path)} cannot be {shown(node.raw)}", expected=words)
            return _ABSENT
        if shape.max_length is not None and len(node.value) > shape.max_length:
            self.say(node.place, "value.long", f"{_name(path)} is longer than {shape.max_length} characters")
            return _ABSENT
        return node.value

    def _enum(self, node: Scalar, cls: type[Enum], words: str, path: Path) -> Any:
        names = [str(item.value) for item in cls]
        if node.raw in names:
            return node.raw
        if node.value is None:
            return self._wrong(node, words, path)
        hint = did_you_mean(node.raw, names)
        self.say(node.place, "value.choice", f"{_name(path)} cannot be {shown(node.raw)}", expected=words, hint=hint)
        return _ABSENT

    def _count(self, node: Scalar, shape: inspect.IntType | inspect.FloatType, words: str, path: Path) -> Any:
        value = node.value
        whole = isinstance(shape, inspect.IntType)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            return self._wrong(node, words, path)
        assert isinstance(value, int | float)
        low, high = shape.ge, shape.le
        if not math.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
            self.say(node.place, "value.range", f"{_name(path)} cannot be {node.raw}", expected=words)
            return _ABSENT
        return value if whole else float(value)

    def _plain(self, node: Node, path: Path) -> Any:
        self.places[path] = node.place
        match node:
            case Mapping(items=items):
                for key, _ in items:
                    self.keys[(*path, key.raw)] = key.place
                return {key.raw: self._plain(value, (*path, key.raw)) for key, value in items}
            case Listing(items=nodes):
                return [self._plain(item, (*path, place)) for place, item in enumerate(nodes)]
            case Scalar(value=value):
                if isinstance(value, float) and not math.isfinite(value):
                    return self._wrong(node, "a finite number", path)
                return value


def _choose(node: Node, shape: inspect.UnionType) -> inspect.Type | None:
    """The member of a union that this node means; unions hold at most one of each form, and text last."""
    forms: list[inspect.Type] = list(shape.types)
    wanted: tuple[type, ...]
    match node:
        case Mapping():
            wanted = (inspect.StructType, inspect.DictType)
        case Listing():
            wanted = (inspect.VarTupleType,)
        case Scalar(value=None):
            return None
        case Scalar():
            wanted = (inspect.EnumType, inspect.BoolType, inspect.IntType, inspect.FloatType, inspect.StrType)
    for form in forms:
        bare = form
        while isinstance(bare, inspect.Metadata):
            bare = bare.type
        if isinstance(bare, wanted):
            return form
    return None


def _name(path: Path) -> str:
    words = [str(part) for part in path if isinstance(part, str)]
    return f'"{words[-1]}"' if words else "the file"


def _within(path: Path) -> str:
    return f" in {'.'.join(str(part) for part in path)}" if path else ""
