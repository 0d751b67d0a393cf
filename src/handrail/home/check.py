"""Every mistake of a home, each with its place; pure.

All of them, not the first: a file with a mistake of form is still held against the rules of meaning as far as it could
be read. An empty list is the only way a home counts as good; `home.compile` refuses anything else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from handrail.home.check_home import check_home
from handrail.home.check_notices import check_notices, check_told
from handrail.home.check_reading import check_reading
from handrail.home.check_rules import Engines, check_rules, check_zones
from handrail.home.check_tools import check_listed, check_tools
from handrail.home.check_use_case import check_defaults, check_ids, check_prompts, check_use_case
from handrail.home.fields import HomeFile, UseCaseFile
from handrail.home.fields_rules import CasesFile, RulesFile
from handrail.home.fields_tools import ToolsFile
from handrail.home.fit import Fitted, fit
from handrail.home.levels import expand
from handrail.home.mistake import Mistake, Place, did_you_mean, mistake
from handrail.home.text import HOME_FILE, PROMPTS, RULES, TESTS, TOOLS, USE_CASES, HomeText
from handrail.home.tree import parse
from handrail.home.written_actions import Actions, Spot, read_actions

AT_THE_TOP = frozenset({HOME_FILE})


@dataclass(frozen=True, slots=True)
class Checked:
    """`home` and `cases` hold what could be read; they are whole only when `mistakes` is empty."""

    home: Fitted
    cases: tuple[Fitted, ...]
    prompts: dict[str, str]
    mistakes: tuple[Mistake, ...]
    actions: Actions = field(default_factory=Actions)
    played: tuple[Fitted, ...] = ()
    """The files of cases beside the rules."""


_ENGINES = Engines()


def check(text: HomeText, engines: Engines = _ENGINES) -> list[Mistake]:
    """Sorted by file, line and column. Cases beside the rules are played by `home.compile`."""
    return list(look(text, engines).mistakes)


def look(text: HomeText, engines: Engines = _ENGINES) -> Checked:
    """The home read against its declarations, and all that is wrong with it."""
    mistakes = [*text.mistakes, *_files(text)]
    home = _fitted(text, HOME_FILE, HomeFile, mistakes)
    cases = tuple(_fitted(text, name, UseCaseFile, mistakes) for name in text.use_cases)
    prompts = text.prompts
    if home.value:
        mistakes += check_home(home, names=text.names, time_zones=text.time_zones)
        mistakes += check_defaults(home)
    for case in cases:
        if case.value:
            mistakes += check_use_case(case, home=home, prompts=prompts)
    mistakes += check_ids(cases)
    mistakes += check_reading(home, cases)
    mistakes += check_prompts(prompts)
    played = tuple(_written(text, text.cases, CasesFile, mistakes))
    actions = _actions(text, cases, engines, mistakes)
    mistakes += check_notices(home, cases, actions, names=text.names)
    for case in cases:
        mistakes += check_told(case, home)
    return Checked(home, cases, prompts, tuple(sorted(set(mistakes))), actions, played)


def _actions(text: HomeText, cases: tuple[Fitted, ...], engines: Engines, mistakes: list[Mistake]) -> Actions:
    """Tools and rules. Rules are proved only when all tools and rules could be read."""
    tools = _written(text, text.tools, ToolsFile, mistakes)
    rules = _written(text, text.rules, RulesFile, mistakes)
    actions = read_actions(tools, rules, cases)
    mistakes += actions.mistakes
    told = list(check_tools(actions, text.names))
    for case in cases:
        if isinstance(case.value.get("levels"), dict):
            told += check_listed(Spot(case, ()), expand(case.value["levels"]).keys(), actions)
    mistakes += told
    if actions.whole and not actions.mistakes and not told:
        mistakes += check_rules(actions, engines)
        mistakes += check_zones(actions, text.time_zones)
    return actions


def _written(text: HomeText, names: list[str], declared: type, mistakes: list[Mistake]) -> list[Fitted]:
    """Files of tools and rules. One that holds comments only is switched off, as those of the starter are."""
    return [
        _fitted(text, name, declared, mistakes)
        for name in names
        if any(line.strip() and not line.lstrip().startswith("#") for line in text.texts[name].splitlines())
    ]


def _fitted(text: HomeText, name: str, declared: type, mistakes: list[Mistake]) -> Fitted:
    if name not in text.texts:
        return Fitted(name, {}, {}, {}, [])
    root, wrong = parse(name, text.texts[name])
    mistakes += wrong
    if root is None and wrong:
        return Fitted(name, {}, {}, {}, [])
    fitted = fit(name, root, declared)
    mistakes += fitted.mistakes
    return fitted if isinstance(fitted.value, dict) else Fitted(name, {}, {}, {}, [])


def _files(text: HomeText) -> Iterator[Mistake]:
    unread = {item.file for item in text.mistakes}
    if HOME_FILE in unread and not text.names:
        return  # there is no folder: that is told, and all else follows from it
    if HOME_FILE not in text.texts and HOME_FILE not in unread:
        tops = [name for name in text.names if "/" not in name]
        yield mistake(
            Place(HOME_FILE),
            "file.missing",
            "there is no handrail.yaml in this folder",
            expected="a home made by handrail init",
            hint=did_you_mean(HOME_FILE, tops),
        )
    if not text.use_cases and not any(name.startswith(f"{USE_CASES}/") for name in unread):
        yield mistake(Place(USE_CASES), "use_case.none", "there is no use case", expected="a file use-cases/NAME.yaml")
    for name in sorted(text.names - text.texts.keys() - unread):
        folder, _, file = name.rpartition("/")
        if folder in (USE_CASES, TOOLS, RULES, TESTS):
            yield mistake(
                Place(name), "file.ignored", "this file is not read", hint=f'rename it to "{_stem(file)}.yaml"'
            )
        elif folder == PROMPTS:
            yield mistake(Place(name), "file.ignored", "this file is not read", hint=f'rename it to "{_stem(file)}.md"')


def _stem(file: str) -> str:
    return file.rpartition(".")[0] or file
