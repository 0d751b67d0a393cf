"""Why something was refused, in a person's language: the sentence of a command, by its template, with what stands in.

The templates stand in the commands themselves (`HandrailError`), in English; `scripts/console_words.py refusals`
gathers those that a page can show. One without a translation is told in English, and marked as that. Pure.
"""

from handrail.console.role_names import ROLE_NAMES
from handrail.console.words import N_, SOURCE, Words
from handrail.terms.errors import HandrailError

ROLES = frozenset({"role", "roles"})
"""Parts that name roles, with commas between."""
SAID = {
    "state": {
        "held": N_("held"), "drafted": N_("a draft"), "raised": N_("raised"),
        "approved": N_("approved"), "claimed": N_("being carried out"), "done": N_("done"),
        "failed": N_("failed"), "unknown": N_("of unknown outcome"), "denied": N_("denied"), "expired": N_("expired"),
        "cancelled": N_("taken back"), "revoked": N_("revoked"), "lapsed": N_("not carried out in time"),
        "open": N_("open"), "acknowledged": N_("taken"), "closed": N_("closed"),
        "contained": N_("contained"), "reviewed": N_("reviewed"), "draft": N_("a draft"), "tested": N_("tested"),
        "signed off": N_("signed off"), "canary": N_("a canary"), "live": N_("live"),
        "rolled back": N_("rolled back"), "retired": N_("retired"),
    },
    "move": {
        "be contained": N_("be contained"), "be reviewed": N_("be reviewed"), "be closed": N_("be closed"),
        "be given another test": N_("be given another test"), "be tested": N_("be tested"), "start": N_("start"),
        "be signed off": N_("be signed off"), "wait for its owner": N_("wait for its owner"), "go on": N_("go on"),
        "go to the next stage": N_("go to the next stage"), "be frozen": N_("be frozen"),
        "be retired": N_("be retired"),
        "become a draft again": N_("become a draft again"), "be promoted": N_("be promoted"),
        "be rolled back": N_("be rolled back"), "be live again": N_("be live again"),
    },
    "word": {"right": N_("right"), "wrong": N_("wrong")},
    "kind": {"token": N_("token"), "one-time code": N_("one-time code")},
    "mend": {
        "make a new one: handrail person first": N_("make a new one: handrail person first"),
        "ask an admin for a new one": N_("ask an admin for a new one"),
    },
}  # fmt: skip
"""Parts that are words of ours."""


def told_why(problem: HandrailError, words: Words) -> str:
    """In her language; in English where the catalogues have no sentence for it."""
    parts = {name: _part(name, value, words) for name, value in problem.parts.items()}
    said = words(problem.template) if problem.template else ""
    if said == problem.template and words.language != SOURCE:
        return problem.message
    return said.format(**parts) if parts else said


def is_english(problem: HandrailError, words: Words) -> bool:
    """Whether `told_why` stays English on a page of another language; a page marks it as that."""
    return words.language != SOURCE and bool(problem.template) and words(problem.template) == problem.template


def _part(name: str, value: str | int, words: Words) -> str:
    text = str(value)
    if name in ROLES:
        return ", ".join(words(ROLE_NAMES[one]) if one in ROLE_NAMES else one for one in text.split(", "))
    if name == "wanted":
        name = "state"
    found = SAID.get(name, {}).get(text)
    return words(found) if found is not None else text
