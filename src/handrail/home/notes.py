"""What a good home leaves to a built-in, where somebody may think that they had to say it; pure. Nothing here is a
mistake, and nothing here stops a publish."""

from handrail.home.check import Checked
from handrail.home.mistake import Mistake, Place, mistake
from handrail.policy.ruleset import Audience


def notes(checked: Checked) -> list[Mistake]:
    """In the form of mistakes, sorted likewise."""
    defaults = checked.home.value.get("defaults", {})
    found = []
    for case in checked.cases:
        own = {**defaults, **case.value}
        if own.get("audience") == Audience.CUSTOMER.value and not (own.get("disclosure") or {}).get("wording"):
            message = "no disclosure is written: the built-in wording says that a machine answers"
            hint = "write yours under disclosure: wording:"
            found.append(mistake(Place(case.file, 1, 1), "disclosure.built_in", message, hint=hint))
    return sorted(found)
