"""What makes sense in `findings`, `sentences` and `disclosure`; pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from handrail.home.codes import LANGUAGES
from handrail.home.defaults import DISCLOSED, LOOKED_FOR
from handrail.home.fit import Fitted, Path, shown
from handrail.home.mistake import Mistake, did_you_mean, mistake
from handrail.policy.evaluate import NEVER_REST_SCORE
from handrail.policy.ruleset import Audience, FindingAction
from handrail.terms.finding import NEVER_REST, Kind

PLACES = ("input", "sources", "answers")
TRIGGERS = frozenset({Kind.COMPLAINT, Kind.LEGAL, Kind.VULNERABILITY, Kind.HUMAN, Kind.LEAVE, Kind.UNSEEN_PROMPT})
ELSEWHERE = {Kind.UNREADABLE: "on_unreadable_part", Kind.UNSCREENED: "on_detector_failure"}
SPEAKING = frozenset({FindingAction.BLOCK, FindingAction.HANDOVER})


def check_findings(doc: Fitted, value: Mapping[str, Any], at: Path) -> Iterator[Mistake]:
    """`value`: what stands at path `at`: a use case, or the defaults of the home."""
    for where in PLACES:
        for name, rule in ((value.get("findings") or {}).get(where) or {}).items():
            yield from _rule(doc, where, Kind(name), rule, (*at, "findings", where, name))
    for outcome in SPEAKING:
        spoken = (value.get("sentences") or {}).get(outcome.value)
        yield from languages_of(doc, spoken, (*at, "sentences", outcome.value))
    wording = (value.get("disclosure") or {}).get("wording")
    yield from languages_of(doc, wording, (*at, "disclosure", "wording"))


def _rule(doc: Fitted, where: str, kind: Kind, rule: str | Mapping[str, Any], path: Path) -> Iterator[Mistake]:
    given = {"action": rule} if isinstance(rule, str) else rule
    if "action" not in given:
        return
    action = FindingAction(given["action"])
    place = doc.place(*path) if isinstance(rule, str) else doc.place(*path, "action")
    if kind in ELSEWHERE:
        yield mistake(
            doc.key(*path),
            "finding.elsewhere",
            f"{kind.value} is not set here",
            hint=f"write {ELSEWHERE[kind]}: mark or refuse",
        )
    if kind in NEVER_REST:
        yield from _never_rest(doc, kind, action, given, place, path)
    if kind not in LOOKED_FOR[where] and kind not in ELSEWHERE:
        places = [name for name in PLACES if kind in LOOKED_FOR[name]]
        yield mistake(
            doc.key(*path),
            "finding.side",
            f"{kind.value} is not looked for in {where}, so this rule would never act",
            hint=f"move it below {' or '.join(f'{name}:' for name in places)}",
        )
    if kind is Kind.DECLINED and action is not FindingAction.MARK:
        yield mistake(
            place, "finding.mark", f"{kind.value} is counted and changes nothing", expected="mark", hint="delete it",
        )  # fmt: skip
    if kind in TRIGGERS and action is FindingAction.MASK:
        yield mistake(
            place,
            "finding.mask",
            f"{kind.value} speaks of a whole message and cannot be masked",
            expected="mark, block or handover",
        )
    if action not in SPEAKING and given.get("sentences"):
        yield mistake(
            doc.key(*path, "sentences"),
            "finding.sentences",
            f"{action.value} says nothing",
            hint="delete the sentences",
        )
    yield from languages_of(doc, given.get("sentences"), (*path, "sentences"))


def _never_rest(
    doc: Fitted, kind: Kind, action: FindingAction, given: Mapping[str, Any], place: Any, path: Path
) -> Iterator[Mistake]:
    if action is FindingAction.MARK:
        yield mistake(
            place,
            "finding.never_rest",
            f"{kind.value} may never be stored or passed on",
            expected="mask, block or handover",
        )
    if given.get("min_score", 0) > NEVER_REST_SCORE:
        yield mistake(
            doc.place(*path, "min_score"),
            "finding.never_rest",
            f"{kind.value} counts from a score of {NEVER_REST_SCORE}",
            expected=f"min_score: {NEVER_REST_SCORE} or less",
        )


def languages_of(doc: Fitted, spoken: object, path: Path) -> Iterator[Mistake]:
    """Unknown language codes among the keys of a sentence."""
    if not isinstance(spoken, dict):
        return
    for language in spoken:
        if language != "*" and not known_language(language):
            yield mistake(
                doc.key(*path, language),
                "language.unknown",
                f"the language {shown(language)} is unknown",
                expected="an ISO 639-1 code such as en, or *",
                hint=did_you_mean(language, LANGUAGES),
            )


def known_language(code: str) -> bool:
    """`de`, `pt-BR`: two letters of ISO 639-1, and perhaps a region."""
    base, dash, region = code.partition("-")
    return base in LANGUAGES and (not dash or (len(region) == 2 and region.isalpha() and region.isupper()))


def check_spoken(doc: Fitted, value: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[Mistake]:
    """Whether every block and hand-over that the home declares has a sentence in every language of the use case, and
    whether the disclosure has."""
    languages = value.get("languages") or defaults.get("languages") or []
    shared = {
        outcome: _both(defaults, value, outcome.value) for outcome in (FindingAction.BLOCK, FindingAction.HANDOVER)
    }
    for source, doc_path in ((value, True), (defaults, False)):
        for where in PLACES:
            for name, rule in ((source.get("findings") or {}).get(where) or {}).items():
                given = {"action": rule} if isinstance(rule, str) else rule
                action = given.get("action")
                if action not in SPEAKING:
                    continue
                spoken = {**shared[FindingAction(action)], **by_language(given.get("sentences"))}
                gone = [code for code in languages if not says(spoken, code)]
                if gone or (not languages and not spoken):
                    place = doc.place("findings", where, name) if doc_path else doc.place()
                    origin = "" if doc_path else " (declared in defaults of handrail.yaml)"
                    yield mistake(
                        place,
                        "sentence.missing",
                        f"{action} for {name}{origin} has no sentence{_for(gone)}",
                        expected=f"sentences for {name}, or sentences: {{{action}: ...}}; * stands for any language",
                    )
    yield from _disclosure(doc, value, defaults, languages)


def _disclosure(
    doc: Fitted, value: Mapping[str, Any], defaults: Mapping[str, Any], languages: Iterable[str]
) -> Iterator[Mistake]:
    given = value.get("disclosure") or defaults.get("disclosure") or {}
    required = given.get("required", value.get("audience") == Audience.CUSTOMER)  # as `compile` has it
    if not required and value.get("audience") == Audience.CUSTOMER:
        yield mistake(
            doc.place("disclosure", "required"),
            "disclosure.required",
            "customers must be told that they talk to an AI (EU AI Act, article 50(1))",
            expected="required: true",
        )
    gone = [code for code in languages if not says({**DISCLOSED, **by_language(given.get("wording"))}, code)]
    if required and gone:
        yield mistake(
            doc.place("disclosure", "wording"),
            "disclosure.wording",
            f"the disclosure has no wording{_for(gone)}",
            expected=f"disclosure: {{wording: {{{gone[0]}: ...}}}}",
        )


def by_language(spoken: object) -> dict[str, str]:
    """One text is for every language."""
    if isinstance(spoken, str):
        return {"*": spoken}
    return {str(code): str(text) for code, text in spoken.items()} if isinstance(spoken, dict) else {}


def says(spoken: Mapping[str, str], language: str) -> bool:
    return language in spoken or language.partition("-")[0] in spoken or "*" in spoken


def _both(defaults: Mapping[str, Any], value: Mapping[str, Any], outcome: str) -> dict[str, str]:
    return {
        **by_language((defaults.get("sentences") or {}).get(outcome)),
        **by_language((value.get("sentences") or {}).get(outcome)),
    }


def _for(languages: list[str]) -> str:
    return f" for {', '.join(languages)}" if languages else ""
