"""Looking back: finding interactions by their facts, and showing one with its payload.

Search is by facts only; text is never searched. The index columns are `project`ed from the recorded facts, so a checker
can derive them again and see that nobody changed what a search finds.
"""

from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from handrail.ledger.commitment import RecordedFacts, read_facts
from handrail.ledger.entry import EntryKind, InteractionFacts
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.finding import Kind
from handrail.terms.ids import ConversationId, CustomerId, Digest, EntryId, InteractionId, SubjectId, UseCaseId

PROJECTED = frozenset({EntryKind.INTERACTION_CLOSED, EntryKind.INTERACTION_INTERRUPTED})
"""The kinds whose entries appear in searches."""

_ORDER = (
    Kind.CARD, Kind.CVV, Kind.IBAN, Kind.ACCOUNT, Kind.EMAIL, Kind.PHONE, Kind.SSN, Kind.NINO, Kind.DOB, Kind.PASSPORT,
    Kind.ADDRESS, Kind.POSTCODE, Kind.IP, Kind.PERSON, Kind.PASSWORD, Kind.PIN, Kind.OTP, Kind.HEALTH, Kind.SECRET,
    Kind.INJECTION, Kind.COMPLAINT, Kind.LEGAL, Kind.VULNERABILITY, Kind.HUMAN, Kind.LEAVE, Kind.UNGROUNDED, Kind.LINK,
    Kind.MARKUP, Kind.PROMPT_LEAK, Kind.UNREADABLE, Kind.UNSEEN_PROMPT, Kind.UNSCREENED, Kind.DECLINED,
)  # fmt: skip
BIT = {kind: 1 << at for at, kind in enumerate(_ORDER)}
"""The bit of each kind in the column `kinds`. Stored, so: append to `_ORDER`, never reorder. At most 63."""

MAX_LIMIT = 1_000


IndexColumns: TypeAlias = tuple[str, int, str, str, bytes | None, str, str, str, int, str, str]


class Projection(NamedTuple):
    """The index columns of one finished interaction, in the order of the table. `kinds`: bits of the kinds first seen
    in it. `release`: raw bytes. `channel`, `arm`: as the facts have them; what was recorded before storage had these
    two may lack them, and then the facts are asked."""

    interaction: str
    at_ms: int
    use_case: str
    conversation: str
    release: bytes | None
    verdict: str
    outcome: str
    language: str
    kinds: int
    channel: str
    arm: str


def project(at_ms: int, release: str | None, facts: InteractionFacts) -> Projection:
    """The index columns that these facts must have."""
    return Projection(*index_columns(at_ms, release, facts))


def index_columns(at_ms: int, release: str | None, facts: InteractionFacts) -> IndexColumns:
    """`project` without the names of the columns: the journal makes one for every interaction."""
    kinds = 0
    for finding in facts.findings:
        if finding.new:
            kinds |= BIT[finding.kind]
    return (
        facts.interaction, at_ms, facts.use_case, facts.conversation,
        None if release is None else bytes.fromhex(release),
        facts.verdict, facts.outcome or "", facts.language, kinds, facts.channel, facts.arm,
    )  # fmt: skip


def derive(data: bytes) -> Projection | None:
    """What `project` gave when these facts were recorded; None for a kind that is not projected. Raises ValueError when
    the bytes are not facts."""
    return columns(read_facts(data)).interaction


class Columns(NamedTuple):
    """All that storage keeps of an entry in columns of their own, beside facts, commitment and payload."""

    id: str
    kind: str
    at_ms: int
    interaction: Projection | None


def columns(recorded: RecordedFacts) -> Columns:
    """The columns that these facts must have. Raises ValueError for facts of an interaction that are not."""
    projection = None
    if recorded.kind in PROJECTED:
        projection = project(recorded.at_ms, recorded.release, interaction_facts(recorded))
    return Columns(recorded.id, recorded.kind, recorded.at_ms, projection)


def interaction_facts(recorded: RecordedFacts) -> InteractionFacts:
    """The facts of an `interaction.*` entry. Raises ValueError."""
    try:
        return msgspec.json.decode(recorded.facts, type=InteractionFacts)
    except msgspec.MsgspecError as error:
        raise ValueError(f"entry {recorded.id}: not the facts of an interaction: {error}") from None


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Every given filter must hold. Times in Unix ms, `since` inclusive, `until` exclusive. `customer` needs
    no use case: a customer is one subject everywhere. `conversation`: our id, or the one the client gave. `cursor`: of
    the page before. `would_be`: what enforcing would have given, where the use case observes: it is asked of the facts
    of each candidate, so give a time too where there are millions. `channel`, `arm`: as the facts have them. `subject`:
    of a customer, instead of the customer's id. Newest first."""

    since_ms: int | None = None
    until_ms: int | None = None
    use_case: UseCaseId | None = None
    release: Digest | None = None
    finding: Kind | None = None
    customer: CustomerId | None = None
    conversation: str | None = None
    verdict: Verdict | None = None
    would_be: Verdict | None = None
    outcome: Outcome | None = None
    language: str | None = None
    channel: str | None = None
    arm: str | None = None
    subject: SubjectId | None = None
    flagged: bool = False  # staff flagged a mistake in it, which stands
    limit: int = 50
    cursor: str | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries of any kind. `kinds`: one of them, empty for all. Times in Unix ms, `since` inclusive, `until`
    exclusive."""

    kinds: tuple[EntryKind, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    limit: int = 50


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a search. `would_be`: None where the use case enforced."""

    interaction: InteractionId
    at_ms: int
    use_case: UseCaseId
    conversation: ConversationId
    release: Digest | None
    verdict: Verdict
    would_be: Verdict | None
    outcome: Outcome | None
    language: str
    kinds: tuple[Kind, ...]


class Page(msgspec.Struct, frozen=True):
    """`cursor`: None on the last page."""

    found: tuple[Found, ...]
    cursor: str | None = None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One entry in full. `payload`: the clear bytes, None when there is none to show; `missing` then says why: empty
    (never had one), `erased` (subject erased) or `expired` (its retention is over). `index`: place in the log, None
    until sequenced."""

    entry: EntryId
    recorded: RecordedFacts
    facts: bytes
    commitment: bytes
    payload: bytes | None
    missing: str
    index: int | None


class StandingHold(msgspec.Struct, frozen=True, kw_only=True):
    """A legal hold that was set and not lifted. `by`: the id of who set it. `reason`: the reference that was given.
    `conversation`: the latest of the subject's own; None for a customer who has none any more."""

    subject: SubjectId
    conversation: ConversationId | None
    since_ms: int
    by: str
    reason: str


class Reader(Protocol):
    """Reads committed state only. Every method raises HandrailError JOURNAL_UNAVAILABLE when storage does not answer.
    Who may read a payload, and the entry `payload.read` that says so, are the caller's."""

    async def find(self, query: Query) -> Page:
        """Raises HandrailError REQUEST_INVALID for a cursor that is not ours or a limit outside 1..MAX_LIMIT."""
        ...

    async def show(self, interaction: InteractionId) -> Shown:
        """The finished interaction. Raises HandrailError NOT_FOUND."""
        ...

    async def entry(self, entry: EntryId) -> Shown:
        """Any entry by its id. Raises HandrailError NOT_FOUND."""
        ...

    async def entries(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """(row number, facts bytes) of every kind of entry in the order of storage, row number > `after`: how
        metrics, sweeps and verify walk the journal."""
        ...

    async def latest(self, query: Listing) -> list[tuple[int, bytes]]:
        """(row number, facts bytes), newest first, at most `query.limit`. Raises HandrailError REQUEST_INVALID for a
        limit outside 1..MAX_LIMIT."""
        ...

    async def holds(self) -> list[StandingHold]:
        """Every legal hold that stands, oldest first."""
        ...

    async def subject_of(self, customer: CustomerId) -> SubjectId | None:
        """The subject a customer id stands for; None when unknown or erased."""
        ...


def kinds_of(mask: int) -> tuple[Kind, ...]:
    """The kinds whose bits are set."""
    return tuple(kind for kind, bit in BIT.items() if mask & bit)
