"""The ruleset: who may do what, limits, and the floor of the guards; in force at once after `publish`.

Made by `home.compile` from the home folder, stored as canonical JSON, found by its digest. Every decision names the
digest of the ruleset it was made under, so it can be made again (`policy.evaluate`).
"""

import hashlib
from enum import StrEnum

import msgspec

from handrail.policy.action_rules import ActionRules
from handrail.policy.autonomy import Autonomy as Autonomy
from handrail.policy.autonomy import Demote
from handrail.policy.notices import Notices
from handrail.policy.ramp import Ramp
from handrail.policy.watching import Costs, Intent, WatchPlan
from handrail.terms.action import ActionType, ToolId
from handrail.terms.finding import Kind
from handrail.terms.ids import Digest, ProviderId, UseCaseId
from handrail.tools.registry import Tool, Upstream, UpstreamId


class Mode(StrEnum):
    """observe: every verdict is computed and recorded as `would_be`, nothing changes but never-rest data and refusals
    of identity."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


class Audience(StrEnum):
    CUSTOMER = "customer"
    STAFF = "staff"


class Risk(StrEnum):
    R0 = "R0"
    R1 = "R1"
    R2 = "R2"
    R3 = "R3"
    R4 = "R4"


class FindingAction(StrEnum):
    """What a finding leads to. mark: pass and record. mask: change the text. block: answer with the declared sentence.
    handover: answer with the hand-over sentence and tell the agents' system."""

    MARK = "mark"
    MASK = "mask"
    BLOCK = "block"
    HANDOVER = "handover"


class OnFailure(StrEnum):
    """When a detector fails or is late, or a part cannot be read."""

    REFUSE = "refuse"
    MARK = "mark"


class StreamMode(StrEnum):
    """How much of an answer waits for kinds that need more than a window. window: a late finding marks and ends the
    stream. sentence: at most 600 characters wait. whole: the answer waits for its end."""

    WINDOW = "window"
    SENTENCE = "sentence"
    WHOLE = "whole"


class Durability(StrEnum):
    """strict: the entry is durable before the answer's last byte. relaxed: within a bounded queue that refuses when
    full."""

    STRICT = "strict"
    RELAXED = "relaxed"


class PromptMode(StrEnum):
    """client: the client's prompt passes, its digest is observed. managed: ours replaces it."""

    CLIENT = "client"
    MANAGED = "managed"


class Dialect(StrEnum):
    """What an upstream speaks. azure = OpenAI's bodies with the api-key header and api-version."""

    OPENAI = "openai"
    AZURE = "azure"
    ANTHROPIC = "anthropic"


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One upstream. `key_env` / `key_file` name where the secret is; the secret itself is never published.
    `base_url` includes the version path, as the official clients take it (`https://api.openai.com/v1`)."""

    id: ProviderId
    dialect: Dialect
    base_url: str
    key_env: str | None = None
    key_file: str | None = None
    ca_file: str | None = None
    api_version: str | None = None
    private_network: bool = False  # may resolve to a loopback or private address
    connect_timeout_ms: int = 5_000
    first_byte_timeout_ms: int = 60_000
    idle_timeout_ms: int = 60_000
    attempts: int = 3  # per target, the first included
    max_in_flight: int = 256
    max_waiting: int = 512
    breaker_failures: int = 8  # failures in a row that open the circuit
    breaker_open_ms: int = 10_000


class Level(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    risk: Risk
    autonomy: Autonomy


class FindingRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`sentences`: language to sentence, for block and handover; `*` is the fallback. `rule`: file:line."""

    action: FindingAction
    min_score: float = 0.5
    sentences: dict[str, str] = {}
    rule: str = ""


class AcceptedFailure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A failure the owner accepts up to a limit, such as metric `complaint_rate`, limit 0.01."""

    metric: str
    limit: float


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Per organisation-day; None = no limit. `cost_minor` in minor units of the organisation's currency."""

    requests: int | None = None
    requests_per_minute: int | None = None
    tokens: int | None = None
    cost_minor: int | None = None


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In days. Payloads older than `payload_days` are destroyed; nothing younger than `minimum_days` may be, except by
    an erasure."""

    payload_days: int = 365
    minimum_days: int = 0


class Disclosure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`wording`: language to sentence. Recorded on the first interaction of a conversation and sent in the header
    `x-handrail-disclosure`; insertion into the text comes with governance."""

    required: bool = True
    wording: dict[str, str] = {}
    version: str = "1"


class Probes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Trials against what is live. `cases`: their ids; empty: all. `cost_at_most_minor`: of one round; None: any."""

    every_minutes: int
    cases: tuple[str, ...] = ()
    cost_at_most_minor: int | None = None


class UseCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place where AI meets a customer or staff. `findings` has an entry for every Kind after compilation."""

    id: UseCaseId
    name: str
    purpose: str
    owner: str
    deputy: str
    escalation: str
    channels: tuple[str, ...]
    audience: Audience
    languages: tuple[str, ...]
    regions: tuple[str, ...]
    data_classes: tuple[str, ...]
    levels: dict[ActionType, Level]
    mode: Mode
    accepted_failures: tuple[AcceptedFailure, ...] = ()
    findings: dict[Kind, FindingRule]
    answer_findings: dict[Kind, FindingRule] = {}  # overrides `findings` for what the model says
    source_findings: dict[Kind, FindingRule] = {}  # overrides `findings` for tool results and documents
    on_detector_failure: OnFailure = OnFailure.REFUSE
    on_unreadable_part: OnFailure = OnFailure.REFUSE
    detector_deadline_ms: int = 1_000
    stream: StreamMode = StreamMode.WINDOW
    durability: Durability = Durability.STRICT
    links_allowed: tuple[str, ...] = ()
    hosted_tools_allowed: tuple[str, ...] = ()
    budget: Budget = Budget()
    retention: Retention = Retention()
    disclosure: Disclosure = Disclosure()
    forward_customer: bool = False  # pass the customer id upstream
    tools: tuple[ToolId, ...] = ()  # what its agents may call; anything else is refused
    ramp: Ramp | None = None  # how a changed release reaches customers; None: at once
    probes: Probes | None = None
    intents: tuple[Intent, ...] = ()  # by name
    intents_sure: float = 0.0  # how near an opening must be to one
    watch: WatchPlan = WatchPlan()
    demote: Demote | None = None  # what lowers levels by itself; None: nothing
    case_reason: bool = False  # who reads a held action says why first


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Minor units per million tokens."""

    input_minor: int
    output_minor: int


class Ruleset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All use cases and providers of one organisation. `key_ids` etc. live in their own tables, not here."""

    organisation: str
    time_zone: str
    currency: str
    providers: dict[ProviderId, Provider]
    use_cases: dict[UseCaseId, UseCase]
    prices: dict[str, Price] = {}  # `provider/model`
    upstreams: dict[UpstreamId, Upstream] = {}
    tools: dict[ToolId, Tool] = {}
    actions: ActionRules = ActionRules()
    notices: Notices = Notices()
    costs: Costs = Costs()


def asks_why(rules: Ruleset | None, use_case: UseCaseId) -> bool:
    """Whether reading a held action of this use case asks for a typed reason. It does where nobody can tell: nothing is
    published, or the use case is gone and any other asks."""
    if rules is None:
        return True
    found = rules.use_cases.get(use_case)
    return found.case_reason if found is not None else any(one.case_reason for one in rules.use_cases.values())


def canonical(value: msgspec.Struct) -> bytes:
    """The bytes that the digest is taken of: JSON, keys sorted, no white space."""
    return msgspec.json.encode(value, order="sorted")


def digest(value: msgspec.Struct) -> Digest:
    """SHA-256 of the canonical bytes, lower-case hex."""
    return Digest(hashlib.sha256(canonical(value)).hexdigest())


def rule_digests(rules: ActionRules) -> dict[str, Digest]:
    """Each rule and limit on actions by its id (`rule:ID`, `limit:ID`), without its place: it is the same rule when its
    file is renamed. Their authors may not settle what they hold."""
    named = {f"rule:{rule.id}": digest(msgspec.structs.replace(rule, place="")) for rule in rules.rules}
    return named | {f"limit:{limit.id}": digest(msgspec.structs.replace(limit, place="")) for limit in rules.limits}
