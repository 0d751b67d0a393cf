"""Ports of trials: what runs showed, golden answers, and whose turn a scheduled round is."""

from typing import Protocol

import msgspec

from handrail.releases.store import ReleaseTransaction
from handrail.review.incidents import IncidentStore
from handrail.terms.ids import Digest, UseCaseId
from handrail.trials.golden import Golden


class CaseRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One case of a kept run, without a text. `not_met`: the kinds of expectations that were not met."""

    id: str
    passed: bool
    turns: int = 0
    ms: int = 0
    not_met: tuple[str, ...] = ()
    not_run: bool = False


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """`whole`: every case of the use case was in it. `digest`: of the results; `cases_digest`: of what was asked and
    expected. `scheduled`: by the jobs process, else by hand."""

    id: str
    use_case: UseCaseId
    release: Digest
    at_ms: int
    passed: int
    failed: int
    digest: Digest
    cases_digest: Digest
    cost_micro_minor: int = 0
    whole: bool = True
    scheduled: bool = False
    cases: tuple[CaseRow, ...] = ()


class TrialStore(Protocol):
    """Inside a command."""

    def add(self, run: Run) -> None: ...

    def runs(self, use_case: UseCaseId | None = None, release: Digest | None = None, *, limit: int = 50) -> list[Run]:
        """Newest first."""
        ...

    def golden(self, use_case: UseCaseId, case: str, release: Digest) -> Golden | None: ...

    def keep(self, use_case: UseCaseId, case: str, release: Digest, golden: Golden) -> None:
        """In place of the one before."""
        ...

    def take_turn(self, use_case: UseCaseId, every_ms: int) -> bool:
        """Whether a scheduled round is due now, by the transaction's clock; it then is the caller's, of all
        processes'."""
        ...


class TrialTransaction(ReleaseTransaction, Protocol):
    @property
    def trials(self) -> TrialStore: ...

    @property
    def incidents(self) -> IncidentStore: ...
