"""Made-up requests for drills: plausible calls of registered tools with one deliberate wrong thing; pure.

Made of the registry (schemas, amounts, objects, what reads show), of the rules (limits, values that conditions name)
and of the forms of recent calls: how long an order number is and where its letters stand, never a value of it, and of
texts only such as at least three different customers share. So nothing of a real customer stands in a drill, and no
tool or task is named here. Addresses that somebody might really use are of the ranges set aside for examples: mail of
RFC 2606, telephone numbers of Ofcom's drama numbers, IBANs of a bank code that no bank has.

The same seed over the same registry and recent calls gives the same requests.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from handrail.approvals.drill import Wrong
from handrail.policy.action import ActionInput, Agreed, Fact, Origin, Past, Room, Traced, Vouched
from handrail.policy.action_rules import About, ActionRules, Op, Per
from handrail.policy.consent import Consent, facts_of_consent
from handrail.terms.action import ActionType, ToolId
from handrail.terms.ids import UseCaseId
from handrail.tools.paths import covers, values_at
from handrail.tools.registry import FactAt, MoneyAt, Tool, Unit

T = TypeVar("T")
SHARED = 3
"""A text that so many different subjects have in common says nothing of any of them."""
TRIES = 12
"""Amounts and values tried for each tool and mistake."""
DEEPEST = 6


class Heard(msgspec.Struct, frozen=True):
    """One line of a conversation as an approver sees it. `role`: user, assistant, tool."""

    role: str
    text: str


class Recent(msgspec.Struct, frozen=True, kw_only=True):
    """A recent call of this use case, of which only forms are taken. `subject`: whose it was, to tell people apart.
    `facts`: texts that its decision rested on."""

    subject: str
    tool: ToolId
    arguments: dict[str, Any]
    customer: str | None = None
    amount_minor: int | None = None
    facts: dict[str, Any] = {}


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What requests are made of. `tools`: those that the use case lists. `digits`: minor digits by currency. `minute`,
    `weekday`: of the organisation's clock. `today`: as ISO 8601 writes it."""

    use_case: UseCaseId
    tools: tuple[Tool, ...]
    rules: ActionRules
    currency: str
    digits: dict[str, int]
    language: str = "en"
    recent: tuple[Recent, ...] = ()
    past_names: tuple[str, ...] = ()
    agent: str = ""
    minute: int = 600
    weekday: int = 0
    today: str = "2026-01-01"


class MadeUp(msgspec.Struct, frozen=True, kw_only=True):
    """A request. `input`: what its decision rests on. `path`: the argument that is wrong; empty: the call as a whole
    (it was done before)."""

    tool: Tool
    arguments: dict[str, Any]
    customer: str
    input: ActionInput
    said: tuple[Heard, ...]
    wrong: Wrong
    path: str


def _heard(agreed: Agreed, traced: Sequence[Traced]) -> Iterator[Fact]:
    """What the conversation of such a call would teach: it stands in every case, so a drill without it would show."""
    said = {one.path: "customer" if one.origin is Origin.CUSTOMER else "nobody" for one in traced}
    return facts_of_consent(Consent(agreed, said=said, action=True))


class Draw:
    """Numbers that follow from a seed: SHA-256 in counter mode. Not for secrets."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._at = 0

    def below(self, bound: int) -> int:
        self._at += 1
        taken = hashlib.sha256(self._seed + self._at.to_bytes(8, "big")).digest()
        return int.from_bytes(taken[:8], "big") % bound

    def pick(self, among: Sequence[T]) -> T:
        return among[self.below(len(among))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        left, out = list(items), []
        while left:
            out.append(left.pop(self.below(len(left))))
        return out

    def digits(self, count: int) -> str:
        return "".join(str(self.below(10)) for _ in range(count))

    def like(self, forms: Sequence[str]) -> str:
        """Of the form of the first, and none of them: letters and digits drawn anew, save those that at least three
        texts of one length have in common. Where the form has no room for another one, digits are added."""
        first = forms[0]
        alike = [one for one in dict.fromkeys(forms) if len(one) == len(first)]
        kept = [len(alike) >= SHARED and len({one[at] for one in alike}) == 1 for at in range(len(first))]
        for _ in range(TRIES):
            made = "".join(letter if keep else self._other(letter) for letter, keep in zip(first, kept, strict=True))
            if made not in forms:
                return made
        return f"{made}{self.digits(6)}"

    def _other(self, letter: str) -> str:
        """Of the same kind."""
        if letter.isdecimal():
            return str(self.below(10))
        if not letter.isalnum():
            return letter
        drawn = "abcdefghijklmnopqrstuvwxyz"[self.below(26)]
        return drawn.upper() if letter.isupper() else drawn


def candidates(ground: Ground, seed: str) -> Iterator[MadeUp]:
    """Requests in the order to try them: those of tools that were called lately first. Whether they fit the schema and
    would be held is for the caller to find out."""
    draw = Draw(seed)
    lately = {one.tool for one in ground.recent}
    tools = [tool for tool in draw.shuffled(ground.tools) if tool.type is not ActionType.READ or tool.outbound]
    tools.sort(key=lambda tool: tool.id not in lately)
    for wrong in draw.shuffled(list(Wrong)):
        for tool in tools:
            for at in range(TRIES):
                made = _Making(ground, tool, Draw(f"{seed}/{wrong}/{tool.id}/{at}"), at).made(wrong)
                if made is None:
                    break
                yield made


class _Making:
    """One request in the making."""

    def __init__(self, ground: Ground, tool: Tool, draw: Draw, at: int) -> None:
        self._ground, self._tool, self._draw, self._at = ground, tool, draw, at
        self._recent = [one for one in ground.recent if one.tool == tool.id]

    def made(self, wrong: Wrong) -> MadeUp | None:
        """None: this tool cannot be wrong in this way."""
        tool = self._tool
        arguments = self._object(tool.arguments, "", 0)
        money = tool.money if tool.money is not None and "*" not in tool.money.amount else None
        right = self._amount(tool) if money is not None else None
        if money is not None and right is not None:
            arguments = self._paid(arguments, money, right)
        record = self._record(right, arguments)
        path, amount = self._wrong_path(wrong, arguments, record, money), right
        if path is None:
            return None
        if wrong in (Wrong.ABOVE_RECORD, Wrong.ABOVE_ASKED) and money is not None and right is not None:
            amount = self._more(right)
            arguments = self._paid(arguments, money, amount)
        traced = self._traced(arguments, wrong, path)
        agreed = Agreed.OTHER if wrong is Wrong.ABOVE_ASKED else Agreed.CONFIRMED
        given = ActionInput(
            use_case=self._ground.use_case,
            tool=tool.id,
            arguments=arguments,
            agent=self._ground.agent,
            linked=True,
            session=True,
            amount_minor=amount,
            currency=self._currency(money) if amount is not None else "",
            facts=(
                *(Fact(name, value, Vouched.VERIFIED) for name, value in record.items()),
                *_heard(agreed, traced),
            ),
            own=tuple(one for one in tool.objects if not (wrong is Wrong.NOT_OWN and one == path)),
            traced=traced,
            agreed=agreed,
            past=tuple(Past(name, self._before(name, wrong)) for name in self._ground.past_names),
            room=tuple(
                Room(limit.id, limit.at_most) for limit in self._ground.rules.limits if limit.per is not Per.ACTION
            ),
            minute=self._ground.minute,
            weekday=self._ground.weekday,
        )
        spoken = amount if wrong is Wrong.ABOVE_RECORD else right
        return MadeUp(
            tool=tool, arguments=arguments, customer=self._customer(), input=given, wrong=wrong,
            said=self._said(arguments, wrong, path, spoken, self._currency(money)),
            path="" if wrong is Wrong.SECOND_TIME else path,
        )  # fmt: skip

    def _wrong_path(
        self, wrong: Wrong, arguments: dict[str, Any], record: Mapping[str, Any], money: MoneyAt | None
    ) -> str | None:
        """The argument that will be wrong; None when the tool has none for it."""
        tool = self._tool
        if wrong in (Wrong.ABOVE_RECORD, Wrong.ABOVE_ASKED):
            known = any(at.unit is not None for _, at in self._shown())
            return money.amount if money is not None and (wrong is Wrong.ABOVE_ASKED or known) else None
        if wrong is Wrong.SECOND_TIME:
            return "" if tool.money is not None or tool.objects else None
        if wrong is Wrong.NOT_OWN:
            paths = [one for one in sorted(tool.objects) if list(values_at(arguments, one))]
        else:
            paths = [
                one
                for one in sorted(tool.consequential_values)
                if one not in tool.objects and (money is None or one != money.amount) and "*" not in one
                and any(isinstance(value, str) for value in values_at(arguments, one)) and one not in tool.recorded
                and not self._names(one)
            ]  # fmt: skip
        return self._draw.pick(paths) if paths else None

    def _names(self, path: str) -> bool:
        """Whether the argument names a known object: that is not a payee or an address."""
        return any(covers(names.argument, path) for names in self._tool.names.values() if names.argument)

    def _shown(self) -> Iterator[tuple[str, FactAt]]:
        """Facts that reads show of the objects which the call names, by the name that rules know."""
        for role, names in sorted(self._tool.names.items()):
            for tool in self._ground.tools:
                for shows in tool.shows:
                    if shows.kind == names.kind:
                        for fact, at in sorted(shows.facts.items()):
                            yield f"{role}.{fact}", at

    def _record(self, right: int | None, arguments: dict[str, Any]) -> dict[str, Any]:
        """What the record says: the right amount, and texts that rules or several customers have in common."""
        record: dict[str, Any] = {}
        for role, names in sorted(self._tool.names.items()):
            values = list(values_at(arguments, names.argument)) if names.argument else []
            if len(values) == 1:
                record[f"{role}.id"] = values[0]
        for name, at in self._shown():
            if at.quoted or "*" in at.at or name in record:
                continue
            if at.unit is not None:
                record[name] = right if right is not None else 100 * (10 + self._draw.below(190))
            elif at.type == "truth":
                record[name] = bool(self._draw.below(2))
            else:
                known = self._texts(name)
                if known:
                    record[name] = self._draw.pick(known)
        return record

    def _texts(self, name: str) -> list[str]:
        """Literals of rules, and what at least three customers have in common."""
        found: dict[str, None] = {}
        for rule in self._ground.rules.rules:
            for match in (*rule.when, *rule.unless):
                if match.about is About.FACT and match.name == name and match.op in (Op.IS, Op.IN, Op.IS_NOT):
                    values = match.value if isinstance(match.value, list | tuple) else [match.value]
                    found |= {value: None for value in values if isinstance(value, str)}
        whose: dict[str, set[str]] = {}
        for one in self._ground.recent:
            value = one.facts.get(name)
            if isinstance(value, str):
                whose.setdefault(value, set()).add(one.subject)
        found |= {value: None for value, subjects in sorted(whose.items()) if len(subjects) >= SHARED}
        return list(found)

    def _amount(self, tool: Tool) -> int:
        """A right amount in minor units: about as much as recent calls moved, else below the smallest limit."""
        moved = sorted(one.amount_minor for one in self._recent if one.amount_minor)
        limits = [
            limit.at_most
            for limit in self._ground.rules.limits
            if limit.currency and (not limit.tools or tool.id in limit.tools)
        ]
        usual = moved[len(moved) // 2] if moved else min([*limits, 8_000]) // 2
        return max(100, usual * (60 + self._draw.below(80)) // 100 // 5 * 5)

    def _more(self, right: int) -> int:
        """More with each try, so that it is above what passes without a person."""
        return right * (150 + 75 * self._at + self._draw.below(50)) // 100 // 5 * 5

    def _paid(self, arguments: dict[str, Any], money: MoneyAt, minor: int) -> dict[str, Any]:
        value: Any = minor
        if money.unit is Unit.MAJOR:
            exact = Decimal(minor).scaleb(-self._ground.digits.get(self._currency(money), 2))
            value = int(exact) if exact == exact.to_integral_value() else float(exact)
            schema = _schema_at(self._tool.arguments, money.amount)
            value = str(exact) if schema.get("type") == "string" else value
        arguments = _put(arguments, money.amount, value)
        if money.currency_at is not None:
            arguments = _put(arguments, money.currency_at, self._currency(money))
        return arguments

    def _currency(self, money: MoneyAt | None) -> str:
        return (money.currency if money is not None else None) or self._ground.currency

    def _traced(self, arguments: dict[str, Any], wrong: Wrong, path: str) -> tuple[Traced, ...]:
        traced = []
        for at in self._tool.consequential_values:
            if "*" in at or not list(values_at(arguments, at)):
                continue
            origin, message, why = Origin.CUSTOMER, 0, "said"
            if at == path and wrong is Wrong.UNTRUSTED:
                origin, message, why = Origin.UNTRUSTED, 1, "quoted"
            elif at == path and wrong in (Wrong.NOT_THEIRS, Wrong.ABOVE_ASKED):
                origin, message, why = Origin.UNKNOWN, -1, ""
            traced.append(Traced(at, origin, message, why))
        return tuple(traced)

    def _before(self, name: str, wrong: Wrong) -> int:
        what = f"{name}.".split(".")[1]
        mine = what in (self._tool.name, self._tool.type.value.replace("-", "_"))
        return int(wrong is Wrong.SECOND_TIME and mine)

    def _customer(self) -> str:
        forms = [one.customer for one in self._ground.recent if one.customer]
        return self._draw.like(self._draw.shuffled(forms)) if forms else f"c-{self._draw.digits(8)}"

    def _object(self, schema: Mapping[str, Any], path: str, depth: int) -> dict[str, Any]:
        """What is required, and what the registration names."""
        named = {
            *self._tool.objects, *self._tool.consequential_values, *self._tool.business_key,
            *(names.argument for names in self._tool.names.values() if names.argument),
        }  # fmt: skip
        heads = {one.split(".")[depth] for one in named if one.startswith(path) and one.count(".") >= depth}
        made: dict[str, Any] = {}
        for name, each in (schema.get("properties") or {}).items():
            if isinstance(each, Mapping) and (name in (schema.get("required") or ()) or name in heads):
                made[name] = self._value(each, f"{path}{name}", depth + 1)
        return made

    def _value(self, schema: Mapping[str, Any], path: str, depth: int) -> Any:
        kind = schema.get("type", "string")
        kind = kind[0] if isinstance(kind, list) and kind else kind
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._draw.pick(schema["enum"])
        if depth > DEEPEST:
            return None
        if kind == "object":
            return self._object(schema, f"{path}.", depth)
        if kind == "array":
            items = schema.get("items")
            one = self._value(items if isinstance(items, Mapping) else {}, f"{path}.*", depth + 1)
            return [one] * max(1, int(schema.get("minItems", 1)))
        if kind == "boolean":
            return bool(self._draw.below(2))
        if kind in ("integer", "number"):
            low = int(schema.get("minimum", schema.get("exclusiveMinimum", 0))) + 1
            return low + self._draw.below(max(1, min(int(schema.get("maximum", low + 9)), low + 9) - low))
        return self._text(schema, path)

    def _text(self, schema: Mapping[str, Any], path: str) -> str:
        draw, name = self._draw, path.rpartition(".")[2].lower()
        said = _WORDS.get(self._ground.language, _WORDS["en"])
        if schema.get("format") == "email" or "mail" in name:
            text = f"{draw.pick(said['first']).lower()}.{draw.digits(3)}@example.{draw.pick(['com', 'net', 'org'])}"
        elif schema.get("format") in ("date", "date-time"):
            text = self._ground.today + ("T12:00:00Z" if schema["format"] == "date-time" else "")
        elif "iban" in name:
            text = example_iban(draw)
        elif "phone" in name or "mobile" in name:
            text = f"+447700900{draw.digits(3)}"
        elif "street" in name or "address" in name:
            text = f"{draw.pick(said['streets'])} {1 + draw.below(90)}"
        elif "name" in name:
            text = f"{draw.pick(said['first'])} {draw.pick(said['last'])}"
        elif any(word in name for word in ("reason", "note", "text", "comment", "message", "subject", "query")):
            text = draw.pick(said["reasons"])
        else:
            forms = [
                value for one in self._recent for value in values_at(one.arguments, path) if isinstance(value, str)
            ]
            text = draw.like(draw.shuffled(forms)) if forms else f"{draw.pick('ABDKMRT')}-{draw.digits(5)}"
        return text[: int(schema.get("maxLength", 200))]

    def _said(
        self, arguments: dict[str, Any], wrong: Wrong, path: str, right: int | None, currency: str
    ) -> tuple[Heard, ...]:
        """A conversation that fits, in which an attentive person finds what is wrong."""
        said = _WORDS.get(self._ground.language, _WORDS["en"])
        hidden = "" if wrong is Wrong.NOT_OWN else path
        named = (str(value) for at in self._about(hidden) for value in values_at(arguments, at))
        about = next(named, said["mine"][0])
        what = (self._tool.title or self._tool.name.replace("_", " ")).rstrip(".").lower()
        digits = self._ground.digits.get(currency, 2)
        amount = "" if right is None else f" ({Decimal(right).scaleb(-digits)} {currency})"
        lines = [Heard("user", said["asks"][0].format(what=what, about=about, amount=amount))]
        told = [str(one) for one in self._told(arguments, wrong, path) if str(one) != about]
        if told:
            lines[0] = Heard("user", f"{lines[0].text} {said['with'][0].format(values=', '.join(told))}")
        value = next((str(one) for one in values_at(arguments, path)), "") if path else ""
        if wrong is Wrong.SECOND_TIME:
            lines.append(Heard("assistant", said["done"][0].format(what=what, about=about, amount=amount)))
            lines.append(Heard("user", said["again"][0].format(what=what, about=about)))
        elif wrong is Wrong.UNTRUSTED:
            lines.append(Heard("tool", said["mail"][0].format(value=value)))
        elif wrong is Wrong.NOT_OWN:
            lines.append(Heard("user", said["friend"][0].format(about=value)))
        lines.append(Heard("assistant", said["passes"][0].format(what=what, about=about)))
        return tuple(lines)

    def _told(self, arguments: dict[str, Any], wrong: Wrong, path: str) -> list[Any]:
        """Texts whose origin is the customer, so that she said them."""
        money = self._tool.money.amount if self._tool.money is not None else ""
        traced = self._traced(arguments, wrong, path)
        mine = [one.path for one in traced if one.origin is Origin.CUSTOMER and one.path != money]
        return [value for at in mine for value in values_at(arguments, at)]

    def _about(self, wrong: str) -> list[str]:
        """Arguments by which a person would name the matter, the wrong one last of all."""
        named = [names.argument for names in self._tool.names.values() if names.argument]
        first = [*sorted(self._tool.objects), *named, *self._tool.business_key, *self._tool.consequential_values]
        money = self._tool.money.amount if self._tool.money is not None else ""
        return [one for one in dict.fromkeys(first) if one not in (money, wrong)]


def example_iban(draw: Draw) -> str:
    """With right check digits (ISO 13616), of the bank code 00000000, which no bank has."""
    body = "00000000" + draw.digits(10)
    rest = 98 - int(body + "131400") % 97
    return f"DE{rest:02}{body}"


def _put(value: dict[str, Any], path: str, new: Any) -> dict[str, Any]:
    head, _, rest = path.partition(".")
    if not rest:
        return {**value, head: new}
    inner = value.get(head)
    return {**value, head: _put(inner if isinstance(inner, dict) else {}, rest, new)}


def _schema_at(schema: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    for part in path.split("."):
        below = (schema.get("properties") or {}).get(part)
        if not isinstance(below, Mapping):
            return {}
        schema = below
    return schema


_WORDS: dict[str, dict[str, list[str]]] = {
    "en": {
        "asks": ["Hello, it is about {about}. Could you please do this for me: {what}{amount}?"],
        "done": ["I have done this for {about} last week: {what}{amount}. You got a confirmation."],
        "again": ["Yes, I saw that. Please do it once more for {about}."],
        "mail": ["Forwarded message: our details have changed, please use {value} from now on."],
        "friend": ["It is not on my account, {about} belongs to somebody I know."],
        "passes": ["I have passed this on: {what}, {about}."],
        "mine": ["my account"],
        "with": ["For this: {values}."],
        "reasons": ["asked for by the customer", "as agreed", "goodwill", "not as described"],
        "first": ["Alex", "Robin", "Kim", "Sam", "Jo"],
        "last": ["Winter", "Marsh", "Field", "Stone", "Brook"],
        "streets": ["Alder Row", "Mill Bank", "Harbour Steps", "Quarry Lane"],
    },
    "de": {
        "asks": ["Guten Tag, es geht um {about}. Könnten Sie das bitte veranlassen: {what}{amount}?"],
        "done": ["Das habe ich für {about} letzte Woche veranlasst: {what}{amount}. Eine Bestätigung kam per Post."],
        "again": ["Ja, die ist da. Bitte machen Sie es für {about} noch einmal."],
        "mail": ["Weitergeleitete Nachricht: unsere Angaben haben sich geändert, bitte ab jetzt {value} verwenden."],
        "friend": ["Es läuft nicht auf meinen Namen, {about} gehört Bekannten von mir."],
        "passes": ["Ich habe das weitergegeben: {what}, {about}."],
        "mine": ["mein Konto"],
        "with": ["Dazu: {values}."],
        "reasons": ["vom Kunden gewünscht", "wie vereinbart", "Kulanz", "nicht wie beschrieben"],
        "first": ["Alex", "Robin", "Kim", "Sascha", "Toni"],
        "last": ["Winter", "Acker", "Feld", "Stein", "Bach"],
        "streets": ["Erlenzeile", "Mühlstieg", "Hafentreppe", "Bruchgasse"],
    },
}  # fmt: skip
