"""The fields of the home folder, declared once: `check`, the JSON Schema and the reference all read these.

A type says what is expected; `Meta.description` what the field is for; `extra["expected"]` a pattern in words.
Which values make sense together is `home.meaning`.
"""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handrail.home.data_class import DataClass as DataClass
from handrail.home.fields_demote import DemoteFile
from handrail.home.fields_ramp import RampFile
from handrail.home.fields_reading import ReadingFile
from handrail.home.fields_signin import SignInFile
from handrail.home.fields_watch import CostsFile, Examples, IntentName, WatchFile
from handrail.home.says import says as says
from handrail.policy.notices import Detail, Encryption, Event, ReceiverKind
from handrail.policy.ruleset import (
    Audience,
    Autonomy,
    Dialect,
    Durability,
    FindingAction,
    Mode,
    OnFailure,
    PromptMode,
    Risk,
    StreamMode,
)
from handrail.terms.action import ActionType
from handrail.terms.finding import Kind

ID = r"^[a-z][a-z0-9-]{1,62}$"
ID_SAYS = "2 to 63 lower-case letters, digits and hyphens, starting with a letter"
ENV = r"^[A-Z][A-Z0-9_]{0,127}$"
ENV_SAYS = "the name of an environment variable, such as OPENAI_API_KEY (never the secret itself)"
MAIL = r"^[^@\s]{1,64}@[^@\s]{1,190}\.[^@\s]{2,63}$"

Identifier = Annotated[str, Meta(pattern=ID, extra={"expected": ID_SAYS})]
Mail = Annotated[str, Meta(pattern=MAIL, extra={"expected": "an e-mail address of a named person"})]
Words = Annotated[str, Meta(min_length=1, max_length=2000, extra={"expected": "a text"})]
Sentences = Words | dict[str, Words]
EnvName = Annotated[str, Meta(pattern=ENV, extra={"expected": ENV_SAYS})]
Milliseconds = Annotated[int, Meta(ge=1, le=600_000)]
Deadline = Annotated[int, Meta(ge=10, le=60_000)]
Count = Annotated[int, Meta(ge=1)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Origin = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9][a-z0-9.\-]*(/[a-z0-9.\-]+)*$", extra={"expected": "a name like shop.example/handrail"}),
]
Amount = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Rollout(StrEnum):
    """How a changed release reaches customers once rollouts exist."""

    STAGED = "staged"
    IMMEDIATE = "immediate"


class Metric(StrEnum):
    """Failures an owner can accept up to a limit; shares of interactions or conversations, 0 to 1."""

    COMPLAINT = "complaint_rate"
    TRANSFER = "transfer_rate"
    REPEAT_CONTACT = "repeat_contact_rate"
    OVERRIDE = "override_rate"
    REFUND_REVERSED = "refund_reversed_rate"
    LOW_CSAT = "low_csat_rate"
    UNRESOLVED = "unresolved_rate"
    UNGROUNDED = "ungrounded_rate"
    BLOCKED = "blocked_rate"
    HANDOVER = "handover_rate"
    FAILED = "failed_rate"


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unknown fields are mistakes, never ignored."""


class EnvReference(Strict, frozen=True):
    """A value that stands in the environment and not in the home."""

    env: Annotated[EnvName, says("Environment variable that holds the value.")]


class TlsFile(Strict, frozen=True):
    """Certificate and key, as PEM files."""

    cert_file: Annotated[Words, says("Certificate chain, PEM.")]
    key_file: Annotated[Words, says("Private key, PEM.")]


class KeysFile(Strict, frozen=True):
    """Where the keys of the ledger are. Relative files lie in the data folder; `handrail init` makes them."""

    kek_file: Annotated[Words | None, says("Key-encryption key: 32 random bytes.")] = None
    kek_env: Annotated[EnvName | None, says("The same as 64 hex digits in this environment variable.")] = None
    log_key_file: Annotated[Words | None, says("Ed25519 key that signs the checkpoints of the log.")] = None
    log_key_env: Annotated[EnvName | None, says("The same in this environment variable.")] = None


class DoorsServe(StrEnum):
    """When the process of the MCP door runs."""

    NEEDED = "needed"  # a tool in force belongs to an MCP server
    ALWAYS = "always"
    NEVER = "never"


class DoorsFile(Strict, frozen=True):
    """The MCP door: `/mcp/USE-CASE` on a listener and in a process of its own."""

    listen: Annotated[
        str,
        says("Address and port.", pattern=r"^\S+:\d{1,5}$", expected="an address and a port, such as 127.0.0.1:8081"),
    ] = "127.0.0.1:8081"
    serve: Annotated[DoorsServe, says("needed: when a tool in force belongs to an MCP server. always, never.")] = (
        DoorsServe.NEEDED
    )


class ConsoleFile(Strict, frozen=True):
    """The console: pages for people, on a listener and in a process of its own."""

    listen: Annotated[
        str,
        says("Address and port.", pattern=r"^\S+:\d{1,5}$", expected="an address and a port, such as 127.0.0.1:8082"),
    ] = "127.0.0.1:8082"
    serve: Annotated[bool, says("false: `handrail serve` does not run it; `handrail console` does.")] = True
    public_url: Annotated[Words | None, says("Where people reach it, such as https://console.example.")] = None
    sign_in: Annotated[SignInFile, says("How people sign in.")] = SignInFile()


class LogFile(Strict, frozen=True):
    """The transparency log."""

    origin: Annotated[
        Origin | None, says("Name of the log in its checkpoints (C2SP tlog-checkpoint). Never change it.")
    ] = None


class ProviderFile(Strict, frozen=True):
    """One model provider. The secret stays in the environment or in a file; here stands only where it is."""

    dialect: Annotated[Dialect, says("What the provider speaks. azure: Azure OpenAI.")]
    base_url: Annotated[Words, says("With the version path, as the official clients take it.")]
    key_env: Annotated[EnvName | None, says("Environment variable that holds the provider's key.")] = None
    key_file: Annotated[Words | None, says("File that holds the provider's key.")] = None
    ca_file: Annotated[Words | None, says("Own certificate authority, PEM; relative to the home.")] = None
    api_version: Annotated[Words | None, says("Azure OpenAI: the api-version parameter.")] = None
    private_network: Annotated[
        bool, says("The address may be a loopback or private one (Ollama, vLLM). Never for the metadata address.")
    ] = False
    models: Annotated[tuple[Words, ...], says("Models you may use here. When listed, a route may name no other.")] = ()
    connect_timeout_ms: Annotated[Milliseconds, says("To connect.")] = 5_000
    first_byte_timeout_ms: Annotated[Milliseconds, says("To the first byte of the answer.")] = 60_000
    idle_timeout_ms: Annotated[Milliseconds, says("Between two bytes of a stream.")] = 60_000
    attempts: Annotated[int, says("Tries per target, the first included.", ge=1, le=10)] = 3
    max_in_flight: Annotated[int, says("Requests at once.", ge=1, le=100_000)] = 256
    max_waiting: Annotated[int, says("Requests that may wait for a place; more get 429.", ge=0, le=100_000)] = 512
    breaker_failures: Annotated[int, says("Failures in a row that open the circuit.", ge=1, le=1_000)] = 8
    breaker_open_ms: Annotated[Milliseconds, says("How long the circuit stays open.")] = 10_000


class PriceFile(Strict, frozen=True):
    """In the organisation's currency per million tokens; rounded up to a whole minor unit."""

    input: Annotated[Amount, says("What the model reads.")]
    output: Annotated[Amount, says("What the model writes.")]


class LevelFile(Strict, frozen=True):
    """Risk and autonomy of one action type (docs/guides/home.md)."""

    risk: Annotated[Risk, says("What can go wrong, R0 to R4.")]
    autonomy: Annotated[Autonomy, says("Who decides, A0 (reads only) to A4 (starts by itself).")]


class LevelsFile(Strict, frozen=True, rename={"write_undoable": "write-undoable", "write_final": "write-final"}):
    """Per action type. `risk` and `autonomy` at the top are shorthand for every type that is not listed. A type that is
    not covered is refused."""

    risk: Annotated[Risk | None, says("Shorthand for every type.")] = None
    autonomy: Annotated[Autonomy | None, says("Shorthand for every type.")] = None
    read: Annotated[LevelFile | None, says("Reads something.")] = None
    assert_: Annotated[LevelFile | None, msgspec.Meta(description="Tells a customer something.")] = msgspec.field(
        default=None, name="assert"
    )
    write_undoable: Annotated[LevelFile | None, says("Changes something that can be undone.")] = None
    write_final: Annotated[LevelFile | None, says("Changes something for good.")] = None
    money: Annotated[LevelFile | None, says("Moves money.")] = None
    access: Annotated[LevelFile | None, says("Credentials, contact data, identity.")] = None
    adverse: Annotated[LevelFile | None, says("Denies, limits, closes, sends to collections.")] = None
    contact: Annotated[LevelFile | None, says("Calls or writes to somebody.")] = None


class FindingFile(Strict, frozen=True):
    """What one kind of finding leads to."""

    action: Annotated[
        FindingAction, says("mark: pass and record. mask: change the text. block, handover: see sentences.")
    ]
    min_score: Annotated[Share, says("Findings of a lower score do nothing.")] = 0.5
    sentences: Annotated[
        Sentences | None, says("What is answered for block and handover: one text, or one per language (`*` = any).")
    ] = None


FindingsMap = dict[Kind, FindingAction | FindingFile]


class FindingsFile(Strict, frozen=True):
    """Kind to action, for each place where a text comes from. What is not listed has the default of the reference."""

    input: Annotated[FindingsMap, says("What goes to the model: customers' text, and answers of earlier turns.")] = {}
    sources: Annotated[FindingsMap, says("Tool results and documents; not listed: our default, else as `input`.")] = {}
    answers: Annotated[FindingsMap, says("What the model says; not listed: our default, else as `input`.")] = {}


class SentencesFile(Strict, frozen=True):
    """Sentences for every block or hand-over that has none of its own."""

    block: Annotated[Sentences | None, says("Instead of a blocked text.")] = None
    handover: Annotated[Sentences | None, says("When a person takes over.")] = None


class AcceptedFile(Strict, frozen=True):
    """A failure the owner accepts, up to a limit."""

    metric: Annotated[Metric, says("Which failure.")]
    limit: Annotated[Share, says("Share that is accepted, 0 to 1.")]


class ModelFile(Strict, frozen=True):
    """Which model answers."""

    route: Annotated[
        tuple[Words, ...],
        says("`provider/model`, tried in this order; a fallback only before the first token.", min_length=1),
    ]
    alias: Annotated[Identifier | None, says("What clients write as `model`; by default the id of the use case.")] = (
        None
    )
    parameters: Annotated[dict[str, Any], says("Set where the client sets none, such as temperature.")] = {}
    force_parameters: Annotated[bool, says("Set them even where the client sets its own.")] = False


class PromptFile(Strict, frozen=True):
    """Whose prompt it is."""

    mode: Annotated[PromptMode, says("client: the client's prompt passes. managed: ours replaces it.")]
    file: Annotated[Words | None, says("managed: a file in `prompts/`.")] = None
    canary: Annotated[bool, says("managed: plant a line that must never come out.")] = True


class BudgetFile(Strict, frozen=True):
    """Per day in the organisation's time zone, the whole use case together. Not given = no limit."""

    requests: Annotated[Count | None, says("Requests a day.")] = None
    requests_per_minute: Annotated[Count | None, says("Requests a minute.")] = None
    tokens: Annotated[Count | None, says("Tokens a day, read and written.")] = None
    cost: Annotated[Amount | None, says("Cost a day in the organisation's currency; needs prices.")] = None


class RetentionFile(Strict, frozen=True):
    """In days."""

    payload_days: Annotated[int, says("Texts older than this are destroyed.", ge=1, le=36_500)] = 365
    minimum_days: Annotated[int, says("Nothing younger is destroyed, except by an erasure.", ge=0, le=36_500)] = 0


class DisclosureFile(Strict, frozen=True):
    """That the customer talks to an AI: recorded with the first interaction, sent in a header."""

    required: Annotated[bool, says("Whether it is recorded and sent.")] = True
    wording: Annotated[Sentences | None, says("One text, or one per language.")] = None
    version: Annotated[Words, says("Change it with the wording.")] = "1"


class DefaultsFile(Strict, frozen=True):
    """For every use case that does not say otherwise."""

    owner: Annotated[Mail | None, says("Accountable person.")] = None
    deputy: Annotated[Mail | None, says("Stands in for the owner.")] = None
    escalation: Annotated[Words | None, says("Who is told at once: an address, number or page.")] = None
    languages: Annotated[tuple[Words, ...] | None, says("ISO 639-1.")] = None
    regions: Annotated[tuple[Words, ...] | None, says("ISO 3166-1, EU or EEA.")] = None
    mode: Annotated[Mode | None, says("observe or enforce.")] = None
    findings: Annotated[FindingsFile, says("What findings lead to.")] = FindingsFile()
    sentences: Annotated[SentencesFile, says("Sentences for block and hand-over.")] = SentencesFile()
    on_detector_failure: Annotated[OnFailure | None, says("A detector failed or is late.")] = None
    on_unreadable_part: Annotated[OnFailure | None, says("A part that no detector can read.")] = None
    detector_deadline_ms: Annotated[Deadline | None, says("For all detectors of one text.")] = None
    stream: Annotated[StreamMode | None, says("How much of an answer waits.")] = None
    durability: Annotated[Durability | None, says("strict or relaxed.")] = None
    budget: Annotated[BudgetFile | None, says("Limits.")] = None
    retention: Annotated[RetentionFile | None, says("How long texts are kept.")] = None
    disclosure: Annotated[DisclosureFile | None, says("That it is an AI.")] = None


class NoticeLanguage(StrEnum):
    """What notices are written in."""

    EN = "en"
    DE = "de"


class ReceiverFile(Strict, frozen=True, kw_only=True):
    """Who is told, and how. Secrets stand in the environment or in a file; here stands only where."""

    kind: Annotated[ReceiverKind, says("chat: Slack and alike. webhook: signed (standard-webhooks). pager: PagerDuty.")]
    url: Annotated[Words | None, says("chat, webhook: where it is called.")] = None
    url_env: Annotated[EnvName | None, says("Where the address stands that is a secret as a whole; needs hosts.")] = (
        None
    )
    url_file: Annotated[Words | None, says("The same in a file, relative to the home.")] = None
    hosts: Annotated[
        tuple[Words, ...], says("Host or host:port that url_env or url_file leads to; a mail server's host.")
    ] = ()
    secret_env: Annotated[EnvName | None, says("webhook: whsec_ secret. pager: routing key. email: password.")] = None
    secret_file: Annotated[Words | None, says("The same in a file, relative to the home.")] = None
    port: Annotated[Port | None, says("email: 587 when left out.")] = None
    encryption: Annotated[Encryption | None, says("email: starttls when left out; none only inside your network.")] = (
        None
    )
    user: Annotated[Words | None, says("email: who logs in, when the server asks.")] = None
    sender: Annotated[Mail | None, says("email: From.")] = None
    to: Annotated[tuple[Mail, ...], says("email: To.")] = ()
    ca_file: Annotated[Words | None, says("Own certificate authority, PEM; relative to the home.")] = None
    private_network: Annotated[bool, says("The address may be a loopback or private one.")] = False
    events: Annotated[tuple[Event, ...] | None, says("Left out: all. []: none but what a use case sends it.")] = None
    use_cases: Annotated[tuple[Words, ...], says("Left out: every one.")] = ()
    routes: Annotated[tuple[Words, ...], says("Left out: every one.")] = ()
    detail: Annotated[Detail, says("How much of the money it is told.")] = Detail.NONE
    language: Annotated[NoticeLanguage, says("Of the words.")] = NoticeLanguage.EN


class NoticesFile(Strict, frozen=True, kw_only=True):
    """Who is told when an action waits, is handed over, or needs a person. A notice carries nothing of a customer."""

    receivers: Annotated[dict[Identifier, ReceiverFile], says("Receivers by name.")] = {}
    expiring_s: Annotated[int, says("Reminded so long before the time to decide is over.", ge=1, le=86_400)] = 600
    give_up_after_s: Annotated[int, says("Tried for so long.", ge=60, le=604_800)] = 86_400


class HomeFile(Strict, frozen=True, kw_only=True):
    """`handrail.yaml`: the organisation, where things are, and defaults for the use cases."""

    organisation: Annotated[Words, says("Name of the organisation.")]
    time_zone: Annotated[Words, says("IANA time zone, such as Europe/Berlin: days of budgets begin there.")]
    currency: Annotated[Words, says("ISO 4217, such as EUR.")]
    database: Annotated[
        Words | EnvReference, says("sqlite (default), postgresql://user@host/name, or env: NAME. Read at start only.")
    ] = "sqlite"
    data_dir: Annotated[Words, says("Database, log and keys; relative to the home. Read at start only.")] = ".handrail"
    listen: Annotated[
        str,
        says(
            "Address and port. Read at start only.",
            pattern=r"^\S+:\d{1,5}$",
            expected="an address and a port, such as 127.0.0.1:8080",
        ),
    ] = "127.0.0.1:8080"
    public_url: Annotated[Words | None, says("Where clients reach it. Read at start only.")] = None
    behind_proxy: Annotated[bool, says("A proxy in front ends TLS. Read at start only.")] = False
    tls: Annotated[TlsFile | None, says("Serve TLS itself. Read at start only.")] = None
    keys: Annotated[KeysFile, says("Keys of the ledger. Read at start only.")] = KeysFile()
    log: Annotated[LogFile, says("The transparency log. Read at start only.")] = LogFile()
    doors: Annotated[DoorsFile, says("The MCP door. Read at start only.")] = DoorsFile()
    console: Annotated[ConsoleFile, says("The console. Read at start only.")] = ConsoleFile()
    log_requests: Annotated[
        bool, says("A line for each request in the server's own log, without texts and keys. Read at start only.")
    ] = False
    providers: Annotated[dict[Identifier, ProviderFile], says("Model providers by name.", min_length=1)]
    prices: Annotated[dict[str, PriceFile], says("`provider/model` to its price.")] = {}
    costs: Annotated[CostsFile, says("What people and mistakes cost, for the cost of a resolution.")] = CostsFile()
    defaults: Annotated[DefaultsFile, says("For every use case that does not say otherwise.")] = DefaultsFile()
    reading: Annotated[ReadingFile, says("Where reading a held action asks for a typed reason.")] = ReadingFile()
    notices: Annotated[NoticesFile, says("Who is told of what waits, by mail, chat or webhook.")] = NoticesFile()


class ProbesFile(Strict, frozen=True, kw_only=True):
    """Live probes: they count in no figure and cause no effect, and they cost what the model costs."""

    every_minutes: Annotated[int, says("Between two rounds.", ge=1, le=10_080)]
    cases: Annotated[tuple[Words, ...], says("Their ids; left out: every case of the use case.")] = ()
    cost_at_most: Annotated[Amount | None, says("Of one round, in the organisation's currency; needs prices.")] = None


class UseCaseFile(Strict, frozen=True, kw_only=True):
    """`use-cases/*.yaml`: one place where AI meets a customer or staff."""

    id: Annotated[Identifier, says("Stable name; keys, entries and reports use it. Never reuse one.")]
    name: Annotated[Words, says("What people call it.")]
    purpose: Annotated[Words, says("What it is for, in one sentence.")]
    owner: Annotated[Mail | None, says("Accountable person.")] = None
    deputy: Annotated[Mail | None, says("Stands in for the owner; another person.")] = None
    escalation: Annotated[Words | None, says("Who is told at once: an address, number or page.")] = None
    channels: Annotated[tuple[Identifier, ...], says("Where it runs: chat, email, voice, desk, ...", min_length=1)]
    audience: Annotated[Audience, says("Who reads the answers: customer or staff.")]
    languages: Annotated[tuple[Words, ...] | None, says("ISO 639-1, such as en, de, pt-BR.")] = None
    regions: Annotated[tuple[Words, ...] | None, says("Where the customers are: ISO 3166-1, EU or EEA.")] = None
    data_classes: Annotated[tuple[DataClass, ...], says("What it may see of people.")]
    levels: Annotated[LevelsFile, says("Risk and autonomy per action type.")]
    mode: Annotated[Mode | None, says("observe: record what would be. enforce: do it. Default: observe.")] = None
    accepted_failures: Annotated[tuple[AcceptedFile, ...], says("What the owner accepts, up to a limit.")] = ()
    findings: Annotated[FindingsFile, says("What findings lead to.")] = FindingsFile()
    sentences: Annotated[SentencesFile, says("Sentences for block and hand-over.")] = SentencesFile()
    on_detector_failure: Annotated[OnFailure | None, says("A detector failed or is late. Default: refuse.")] = None
    on_unreadable_part: Annotated[OnFailure | None, says("A part nobody can read. Default: refuse.")] = None
    detector_deadline_ms: Annotated[Deadline | None, says("For all detectors of one text. Default: 1000.")] = None
    stream: Annotated[StreamMode | None, says("How much of an answer waits. Default: window.")] = None
    durability: Annotated[Durability | None, says("strict: recorded before the last byte. Default: strict.")] = None
    links_allowed: Annotated[
        tuple[Words, ...], says("Host names an answer may link to; *. in front for all below.")
    ] = ()
    hosted_tools_allowed: Annotated[tuple[Words, ...], says("Tools that run at the provider, such as web_search.")] = ()
    model: Annotated[ModelFile, says("Which model answers.")]
    prompt: Annotated[PromptMode | PromptFile, says("client, or mode: managed with a file. Default: client.")] = (
        PromptMode.CLIENT
    )
    budget: Annotated[BudgetFile | None, says("Limits.")] = None
    retention: Annotated[RetentionFile | None, says("How long texts are kept.")] = None
    disclosure: Annotated[DisclosureFile | None, says("That it is an AI.")] = None
    tools: Annotated[
        tuple[Words, ...],
        says("What its agents may call: tools of tools/*.yaml, in full (UPSTREAM.NAME) or by their own name."),
    ] = ()
    tell_ended: Annotated[
        tuple[Words, ...], says("Receivers of `notices` that are told when an action of its agents has ended.")
    ] = ()
    forward_customer: Annotated[bool, says("Pass the customer's id to the provider.")] = False
    rollout: Annotated[Rollout, says("How a changed release goes live. immediate: not from R2 up.")] = Rollout.STAGED
    probes: Annotated[
        ProbesFile | None, says("Cases of tests/*.yaml that run against what is live, again and again.")
    ] = None
    ramp: Annotated[
        RampFile | None, says("Stages that a changed release goes through. Left out: it goes live at once.")
    ] = None
    intents: Annotated[
        dict[IntentName, Examples], says("What customers come for, each with a handful of examples of how they say it.")
    ] = {}
    watch: Annotated[WatchFile, says("What is watched, and how often it may alarm without a reason.")] = WatchFile()
    demote: Annotated[
        DemoteFile | None, says("What lowers autonomy by itself, and what a person must see before raising it again.")
    ] = None


LEVEL_FIELDS = {
    ActionType.READ: "read",
    ActionType.ASSERT: "assert_",
    ActionType.WRITE_UNDOABLE: "write_undoable",
    ActionType.WRITE_FINAL: "write_final",
    ActionType.MONEY: "money",
    ActionType.ACCESS: "access",
    ActionType.ADVERSE: "adverse",
    ActionType.CONTACT: "contact",
}
"""Action type to the attribute of `LevelsFile`."""
