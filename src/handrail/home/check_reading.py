"""What makes sense in `reading`, and what it means for a use case; pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from handrail.home.fields_reading import CaseReason
from handrail.home.fit import Fitted, shown
from handrail.home.mistake import Mistake, did_you_mean, mistake


def check_reading(home: Fitted, cases: Sequence[Fitted]) -> Iterator[Mistake]:
    """Every mistake of meaning; those of form are `home.fit`. A list that could not be read is not judged."""
    given = home.value.get("reading")
    if not isinstance(given, dict):
        return
    says, listed = given.get("case_reason", CaseReason.NONE.value), given.get("use_cases") or ()
    if not isinstance(listed, (list, tuple)):
        return
    named = {str(case.value["id"]) for case in cases if isinstance(case.value.get("id"), str)}
    for at, name in enumerate(listed):
        if name not in named:
            yield mistake(
                home.place("reading", "use_cases", at), "reading.use_case", f"there is no use case {shown(name)}",
                hint=did_you_mean(name, named),
            )  # fmt: skip
    lists = [name for name in ("use_cases", "data_classes") if given.get(name)]
    if says == CaseReason.LISTED.value and not lists:
        yield mistake(
            home.place("reading", "case_reason"), "reading.empty", "nothing is listed, so no case would ask",
            expected="use_cases or data_classes beside it",
        )  # fmt: skip
    if says != CaseReason.LISTED.value and lists:
        yield mistake(
            home.key("reading", lists[0]), "reading.unused", f"{lists[0]} counts only with case_reason: listed",
            hint="write case_reason: listed, or delete it",
        )  # fmt: skip


def asks(home: Mapping[str, Any], use_case: str, data_classes: Sequence[str]) -> bool:
    """Whether reading a held action of this use case asks for a reason, in a home without mistakes."""
    given = home.get("reading") or {}
    says = given.get("case_reason", CaseReason.NONE.value)
    listed = use_case in (given.get("use_cases") or ()) or set(data_classes) & set(given.get("data_classes") or ())
    return says == CaseReason.ALL.value or (says == CaseReason.LISTED.value and bool(listed))
