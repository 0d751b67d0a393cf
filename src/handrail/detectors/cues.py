"""Word families and the rules over them, read from a TOML file of `detectors/data`.

A family is a set of terms, per language, that stand for one idea ("ignore", "olvida", "vergiss"). One RE2 Set over all
families is the gate: it costs about 2 us on a message and names the families that are there. Only when all families
that a rule needs are there is the rule's own pattern tried. Terms and text meet in one form: `normalise`, then
`unaccent`. Pure; RE2, so every step is linear in the length of the text.

File: `[family.NAME]` with `LANGUAGE = [terms]` (a term ending in `*` takes the rest of the word), `raw = [RE2]` and,
where its patterns are wide, `gate = [terms]` that the gate looks for instead; `[[rule]]` with reason, score (0..1),
roles, needs (families), pattern (`{family.*}` all languages, `{family.en}` one, `{family.-en}` all but one, `{gap}` up
to 40 characters of the same sentence), unless (families that take it back when they stand in the same sentence), but (a
pattern that takes back a match it covers, such as "not going to" around "cancel my contract");
`[[tally]]` with reason, score, roles, weights per family, at_least, must, from (characters), not_in (languages).
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import re2

from handrail.detectors.normalise import normalise, unaccent
from handrail.terms.finding import Kind, Role

DATA = Path(__file__).parent / "data"
GATE_MEMORY = 8 << 20
"""Bytes the automaton of one gate may grow to. It grows with what it meets; a few MB in practice."""
REMEMBERED = 1_024
"""Combinations of families for which the rules that may apply are kept; they hold names of ours, no text."""
MOST = 50
"""Matches of one rule in one text that are told apart; the next one spans the rest of the text."""
GAP = r"[^.!?。！？।]{0,40}?"
_PLACE = re2.compile(r"\{(\w+)\.([\w*-]+)\}")
_STOP = "[.!?。！？।…]"
_END = re.compile(
    r"[.!?。！？।…\n](?:(?<=\n)[ \t\n\f\r]*\n"
    rf"|(?<!\n)(?<!{_STOP}.){_STOP}*+[\"'’”»)\]]*+(?:[ \t\n\f\r]|\Z)"
    r"|(?<=[。！？।]))",
    re.DOTALL,
)
"""Stops with the quotes and the blank behind them, a blank line, or a full-width stop. Read by Python's own engine, an
eighth as expensive as RE2 where there is a match, because it begins with one sign of a few, and linear too: it never
goes back over a run of signs."""
_REST = r"[^\s.,;:!?<>()\"]*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One pattern over families. `unless`: families that take the finding back when in the same sentence. `but`: a
    pattern that takes it back where it covers the match; empty for none."""

    reason: str
    score: float
    roles: frozenset[Role]
    needs: frozenset[str]
    pattern: str
    unless: frozenset[str] = frozenset()
    but: str = ""
    kind: Kind = Kind.INJECTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Families that mean something only together: all of `must` and a sum of `weights` of `at_least`, in a text of
    `shortest` characters or more, in a language not in `not_in` (where a model does better)."""

    reason: str
    score: float
    roles: frozenset[Role]
    weights: dict[str, int]
    at_least: int
    must: frozenset[str]
    kind: Kind = Kind.INJECTION
    shortest: int = 0
    not_in: frozenset[str] = frozenset()

    def reads(self, plain: str, language: str) -> bool:
        """Whether it looks at texts of this length and language."""
        return len(plain) >= self.shortest and language not in self.not_in

    def holds(self, present: frozenset[str]) -> bool:
        """Whether the families together are enough."""
        return self.must <= present and sum(self.weights.get(name, 0) for name in present) >= self.at_least


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A rule's match in folded text, end exclusive."""

    start: int
    end: int
    score: float
    reason: str
    kind: Kind = Kind.INJECTION


@dataclass(frozen=True)
class Cues:
    """The families and rules of one file. Build once (`load`); a few dozen ms."""

    families: dict[str, dict[str, tuple[str, ...]]]
    gates: dict[str, tuple[str, ...]]
    rules: tuple[Rule, ...]
    tallies: tuple[Tally, ...]

    def present(self, plain: str, role: Role = Role.USER) -> frozenset[str]:
        """The families in folded text that some rule of `role` may need. Linear; about 2 us for a message."""
        names, gate = self._gate(role is _USER, plain.isascii())
        found = gate.Match(plain)
        return frozenset([names[i] for i in found]) if found else _NONE

    def hits(self, plain: str, present: frozenset[str], role: Role) -> list[Hit]:
        """What the rules of `role` find, one hit per match."""
        found: list[Hit] = []
        ready = self._ready(present, role)
        if not ready:
            return found
        octets = plain.encode() if plain.isascii() else plain  # a match in octets costs a third of one in letters
        for number in ready:
            rule = self.rules[number]
            matches = 0
            for match in self._pattern(number).finditer(octets):
                start, end = match.span()
                if end == start or self._taken_back(rule, plain, (start, end), present, role):
                    continue
                if rule.but and self._covered(rule, plain, start, end):
                    continue
                matches += 1
                if matches > MOST:
                    end = len(plain)
                found.append(Hit(start=start, end=end, score=rule.score, reason=rule.reason, kind=rule.kind))
                if matches > MOST:
                    break
        return found

    def _ready(self, present: frozenset[str], role: Role) -> tuple[int, ...]:
        """The rules of a role whose families are all there."""
        ready = self._readied.get((present, role))
        if ready is None:
            ready = tuple([n for n, rule in enumerate(self.rules) if rule.needs <= present and role in rule.roles])
            if len(self._readied) >= REMEMBERED:
                self._readied.clear()
            self._readied[present, role] = ready
        return ready

    def tallied(self, present: frozenset[str]) -> tuple[Tally, ...]:
        """The tallies, of any role, for which these families are enough."""
        enough = self._enough.get(present)
        if enough is None:
            if len(self._enough) >= REMEMBERED:
                self._enough.clear()
            enough = self._enough[present] = tuple([tally for tally in self.tallies if tally.holds(present)])
        return enough

    @cached_property
    def _enough(self) -> dict[frozenset[str], tuple[Tally, ...]]:
        return {}

    @cached_property
    def _readied(self) -> dict[tuple[frozenset[str], Role], tuple[int, ...]]:
        return {}

    def _taken_back(self, rule: Rule, plain: str, span: tuple[int, int], present: frozenset[str], role: Role) -> bool:
        if not rule.unless & present:
            return False
        left, right = sentence(plain, *span)
        return not rule.unless.isdisjoint(self.present(plain[left:right], role))

    def _covered(self, rule: Rule, plain: str, start: int, end: int) -> bool:
        """Whether the rule's `but` matches in the same sentence around the match."""
        left, right = sentence(plain, start, end)
        around = self._compiled(rule.but).finditer(plain[left:right])
        return any(left + m.start() <= start and end <= left + m.end() for m in around)

    def terms(self, family: str, which: str = "*") -> str:
        """The RE2 alternation of a family: `*`, one language, or `-language` for all the others."""
        chosen: list[str] = []
        for language, terms in self.families[family].items():
            if which == "*" or which == language or (which.startswith("-") and language != which[1:]):
                chosen.extend(terms)
        if not chosen:
            raise ValueError(f"family {family!r} has no terms for {which!r}")
        return f"(?:{'|'.join(chosen)})"

    def _expand(self, pattern: str) -> str:
        out, at = [], 0
        for match in _PLACE.finditer(pattern):
            out += [pattern[at : match.start()], self.terms(match.group(1), match.group(2))]
            at = match.end()
        return ("".join(out) + pattern[at:]).replace("{gap}", GAP)

    def _gate(self, user: bool, ascii_only: bool) -> tuple[tuple[str, ...], "re2.Set"]:
        """What users write and what tools return need different families, and Latin letters alone make a small
        automaton. Built when first needed (20 to 40 ms), kept for good."""
        built = self._built.get((user, ascii_only))
        if built is None:
            built = self._built[user, ascii_only] = self._build(user, ascii_only)
        return built

    @cached_property
    def _built(self) -> dict[tuple[bool, bool], tuple[tuple[str, ...], "re2.Set"]]:
        return {}

    @cached_property
    def _patterns(self) -> dict[str, "re2._Regexp"]:
        return {}

    def _pattern(self, number: int) -> "re2._Regexp":
        """The rule's own pattern, compiled when first needed."""
        return self._compiled(self.rules[number].pattern)

    def _compiled(self, template: str) -> "re2._Regexp":
        pattern = self._patterns.get(template)
        if pattern is None:
            pattern = self._patterns[template] = re2.compile(self._expand(template), _options())
        return pattern

    def warm(self) -> None:
        """Build everything now (about 0.1 s and 8 MB for each file), so that no request pays for it."""
        for user in (True, False):
            if self._named(user):
                self._gate(user, True)
                self._gate(user, False)
        for number, rule in enumerate(self.rules):
            self._pattern(number)
            if rule.but:
                self._compiled(rule.but)

    def _build(self, user: bool, ascii_only: bool) -> tuple[tuple[str, ...], "re2.Set"]:
        unused = self._named(None) - self._named(user)
        gate = re2.Set.SearchSet(_options())
        names = []
        for name, languages in self.families.items():
            terms = self.gates.get(name) or tuple(t for ts in languages.values() for t in ts)
            terms = tuple(_opening(t) for t in terms if not ascii_only or t.isascii())
            if terms and name not in unused:
                gate.Add(f"(?:{'|'.join(terms)})")
                names.append(name)
        gate.Compile()
        return tuple(names), gate

    def _named(self, user: bool | None) -> frozenset[str]:
        """The families that rules and tallies name: for users, for everybody else, or (None) at all."""
        roles = set(Role) if user is None else {Role.USER} if user else set(Role) - {Role.USER}
        named: set[str] = set()
        for rule in self.rules:
            if roles & rule.roles:
                named |= rule.needs | rule.unless
        for tally in self.tallies:
            if roles & tally.roles:
                named |= tally.must | tally.weights.keys()
        return frozenset(named)


_NONE: frozenset[str] = frozenset()
_USER = Role.USER  # reading a member of an enumeration costs 0.1 us


def _options() -> "re2.Options":
    options = re2.Options()
    options.max_mem = GATE_MEMORY
    options.log_errors = False
    return options


def fold(text: str) -> str:
    """The form in which terms and text meet."""
    return unaccent(normalise(text).text)


def _term(term: str) -> str:
    """A term as RE2: word boundaries where its script has them, any white space for a space."""
    stem = term.removesuffix("*")
    open_end = stem != term
    plain = fold(stem)
    body = r"\s+".join(re2.escape(part) for part in plain.split())
    start = r"\b" if plain[0].isascii() and plain[0].isalnum() else ""
    if open_end:
        return f"{start}{body}{_REST}"
    return f"{start}{body}\\b" if plain[-1].isascii() and plain[-1].isalnum() else f"{start}{body}"


def _opening(term: str) -> str:
    """What of a term the gate looks for: up to the first gap, because gaps in a set of patterns make its automaton
    large. So the gate may name a family that is not quite there; the rule's own pattern decides."""
    term = term.removesuffix(_REST)
    depth = 0
    for i, sign in enumerate(term):
        if sign in "()" and term[i - 1] != "\\":
            depth += 1 if sign == "(" else -1
        at_gap = term.startswith(("[^.!?]{", r"[^\n]{", r"[^.!?\s]{", r"[^>]{", r"[^<>]{"), i)
        if at_gap and depth == 1 and term.startswith("(?i:") and i > len("(?i:") + 6:
            return term[:i] + ")"
    return term


def _raw(pattern: str) -> str:
    """A raw pattern in the folded form: letters lose their accents and quotes their curls, everything else stays."""
    return f"(?i:{''.join(letter if letter.isascii() else fold(letter) for letter in pattern)})"


def load(name: str) -> Cues:
    """The file `detectors/data/NAME`. Raises ValueError that names the family or rule that is wrong."""
    tree = tomllib.loads((DATA / name).read_text(encoding="utf-8"))
    families = {
        family: {
            language: tuple(_raw(t) if language == "raw" else _term(t) for t in terms)
            for language, terms in languages.items()
            if language != "gate"
        }
        for family, languages in tree["family"].items()
    }
    rules = tuple(
        Rule(
            reason=r["reason"],
            score=r["score"],
            roles=frozenset(Role(x) for x in r["roles"]),
            needs=frozenset(r["needs"]),
            pattern=r["pattern"],
            unless=frozenset(r.get("unless", ())),
            but=r.get("but", ""),
            kind=Kind(r.get("kind", Kind.INJECTION)),
        )
        for r in tree.get("rule", ())
    )
    tallies = tuple(
        Tally(
            reason=t["reason"],
            score=t["score"],
            roles=frozenset(Role(x) for x in t["roles"]),
            weights=t["weights"],
            at_least=t["at_least"],
            must=frozenset(t.get("must", ())),
            shortest=t.get("from", 0),
            not_in=frozenset(t.get("not_in", ())),
            kind=Kind(t.get("kind", Kind.INJECTION)),
        )
        for t in tree.get("tally", ())
    )
    for needed in [r.needs | r.unless for r in rules] + [frozenset(t.weights) | t.must for t in tallies]:
        if unknown := needed - families.keys():
            raise ValueError(f"{name}: a rule names families that are not there: {sorted(unknown)}")
    gates = {f: tuple(_term(t) for t in terms["gate"]) for f, terms in tree["family"].items() if "gate" in terms}
    return Cues(families, gates, rules, tallies)


def sentence(text: str, start: int, end: int) -> tuple[int, int]:
    """The sentence or sentences around `text[start:end]`: up to the last stop, blank line or 400 characters before, to
    the next after. White space at both ends is left out."""
    low = max(0, start - 400)
    left = low
    for match in _END.finditer(text[low:start]):
        left = low + match.end()
    following = _END.search(text[max(end - 1, 0) : end + 400])
    right = max(end - 1, 0) + following.end() if following else min(len(text), end + 400)
    right = max(right, end)
    while left < start and text[left].isspace():
        left += 1
    while right > end and text[right - 1].isspace():
        right -= 1
    return left, right
