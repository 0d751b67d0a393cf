"""A home folder as a value: names and texts, no folder behind it."""

import msgspec

from handrail.home.mistake import Mistake

HOME_FILE = "handrail.yaml"
USE_CASES = "use-cases"
PROMPTS = "prompts"
TOOLS = "tools"
RULES = "rules"
TESTS = "tests"
CASES_END = ".test.yaml"


class HomeText(msgspec.Struct, frozen=True, kw_only=True):
    """`texts`: relative name (with `/`) to text: `handrail.yaml`, `use-cases/*.yaml`, `prompts/*.md`,
    `tools/*.yaml`, `rules/*.yaml`, `tests/*.yaml`. `names`: these
    and every other file in those folders and at the top. `time_zones`: what this machine knows (UTC always counts).
    `mistakes`: files that could not be read as text."""

    texts: dict[str, str]
    names: frozenset[str]
    time_zones: frozenset[str] = frozenset()
    mistakes: tuple[Mistake, ...] = ()

    @property
    def use_cases(self) -> list[str]:
        """Names of the files of use cases, sorted."""
        return sorted(name for name in self.texts if name.startswith(f"{USE_CASES}/"))

    @property
    def tools(self) -> list[str]:
        """Names of the files of tools, sorted."""
        return sorted(name for name in self.texts if name.startswith(f"{TOOLS}/"))

    @property
    def rules(self) -> list[str]:
        """Names of the files of rules, sorted."""
        return sorted(name for name in self.texts if name.startswith(f"{RULES}/") and not name.endswith(CASES_END))

    @property
    def cases(self) -> list[str]:
        """Names of the files of cases beside the rules, sorted."""
        return sorted(name for name in self.texts if name.startswith(f"{RULES}/") and name.endswith(CASES_END))

    @property
    def tests(self) -> dict[str, str]:
        """Name of each file of trials to its text; what they mean is `trials.reading`."""
        return {name: text for name, text in self.texts.items() if name.startswith(f"{TESTS}/")}

    @property
    def prompts(self) -> dict[str, str]:
        """Name below `prompts/` to text."""
        start = f"{PROMPTS}/"
        return {name.removeprefix(start): text for name, text in self.texts.items() if name.startswith(start)}
