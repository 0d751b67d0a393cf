"""The declared fields of `reading`: where a person says why before she reads a held action."""

from enum import StrEnum
from typing import Annotated

import msgspec

from handrail.home.data_class import DataClass
from handrail.home.says import says


class CaseReason(StrEnum):
    """Which held actions ask for a typed reason before their call and conversation are shown."""

    NONE = "none"  # her role is enough; the look is recorded all the same
    LISTED = "listed"  # those of `use_cases`, and of use cases that see one of `data_classes`
    ALL = "all"


class ReadingFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why somebody reads what a customer said. A conversation asks always; this is for what waits for a person."""

    case_reason: Annotated[
        CaseReason, says("none: her role is enough. listed: where use_cases or data_classes say so. all: always.")
    ] = CaseReason.NONE
    use_cases: Annotated[tuple[str, ...], says("listed: these use cases.")] = ()
    data_classes: Annotated[tuple[DataClass, ...], says("listed: use cases that may see one of these.")] = ()
