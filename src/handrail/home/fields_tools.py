"""The fields of `tools/*.yaml`, declared once like those of `home.fields`. What they mean is `tools.registry`; how they
become values is `policy.written`."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handrail.home.fields import Count, EnvName, Milliseconds, Words, says
from handrail.terms.action import ActionType
from handrail.tools.registry import KeyPlace, Reversibility, Unit, UpstreamKind

TOOL = r"^[A-Za-z_][A-Za-z0-9_-]{0,127}$"
UPSTREAM = r"^[a-z][a-z0-9_-]{0,62}$"
UPSTREAM_SAYS = "lower-case letters, digits, _ and -, starting with a letter"
TOOL_SAYS = "the name of a tool: letters, digits, _ and -, without a dot"
METHODS = r"^(GET|POST|PUT|PATCH|DELETE)$"
TYPES = r"^(text|number|truth)$"
PATHS_SAYS = "argument paths with dots, such as order_id or items.*.id"

ToolName = Annotated[str, Meta(pattern=TOOL, extra={"expected": TOOL_SAYS})]
UpstreamName = Annotated[str, Meta(pattern=UPSTREAM, extra={"expected": UPSTREAM_SAYS})]
ArgumentPath = Annotated[str, Meta(min_length=1, max_length=200, extra={"expected": "an argument path"})]
Seconds = Annotated[int, Meta(ge=0, le=366 * 86_400)]
LongText = Annotated[str, Meta(max_length=20_000)]
Digits64 = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{64}$", extra={"expected": "64 hex digits, as handrail tools import writes them"})
]
Schema = dict[str, Any]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unknown fields are mistakes, never ignored."""


class CredentialFile(Strict, frozen=True):
    """Where the secret of a target is, and which header carries it. The secret itself never stands here."""

    header: Annotated[Words, says("Header that carries it.")] = "authorization"
    prefix: Annotated[str, says("What stands before it.", max_length=40)] = "Bearer "
    env: Annotated[EnvName | None, says("Environment variable that holds it.")] = None
    file: Annotated[Words | None, says("File that holds it.")] = None


class UpstreamFile(Strict, frozen=True):
    """One target system: an MCP server, or an HTTP interface."""

    id: Annotated[UpstreamName, says("Stable name; its tools are called ID.TOOL.")]
    kind: Annotated[UpstreamKind, says("http, mcp (streamable HTTP) or mcp-stdio (a child of handrail mcp).")]
    base_url: Annotated[Words | None, says("Its address; not for mcp-stdio.")] = None
    credential: Annotated[CredentialFile | None, says("How it knows us.")] = None
    ca_file: Annotated[Words | None, says("Own certificate authority, PEM; relative to the home.")] = None
    private_network: Annotated[bool, says("The address may be a loopback or private one.")] = False
    trusted: Annotated[
        bool, says("What its reads say counts as the record. Never for mail, web pages, or what customers wrote.")
    ] = False
    timeout_ms: Annotated[Milliseconds, says("For one call.")] = 30_000
    max_in_flight: Annotated[int, says("Calls at once.", ge=1, le=10_000)] = 64


class MoneyFile(Strict, frozen=True):
    """Where amount and currency stand in the arguments."""

    amount: Annotated[ArgumentPath, says("Path of the amount; `*` sums a list.")]
    unit: Annotated[Unit, says("minor: whole cents. major: decimal units.")]
    currency_at: Annotated[ArgumentPath | None, says("Path of the currency.")] = None
    currency: Annotated[Words | None, says("Or the only currency there is, ISO 4217.")] = None


class CallFile(Strict, frozen=True):
    """Another tool, called with values of this call."""

    tool: Annotated[Words, says("Its name, in full (UPSTREAM.NAME) or its own when only one upstream has it.")]
    arguments: Annotated[
        dict[str, Any], says("Its arguments: `$arguments.PATH`, `$response.PATH`, `$key`, or a value.")
    ]


class ExpectFile(Strict, frozen=True):
    """What a read must show."""

    path: Annotated[Words, says("Path in the response.")]
    equals: Annotated[Any, says("The value there, as in the arguments of a call; left out: it must exist.")] = None


class CheckFile(Strict, frozen=True):
    """A read, and what it must show."""

    call: Annotated[CallFile, says("The read.")]
    expect: Annotated[tuple[ExpectFile, ...], says("What it shows when the call had its effect.", min_length=1)]
    absent: Annotated[
        tuple[ExpectFile, ...], says("What it shows when the call certainly had none; else that is not known.")
    ] = ()


class KeyFile(Strict, frozen=True):
    """Where the target takes the key by which it does a call once."""

    place: Annotated[KeyPlace, says("header, argument, or meta (MCP).")]
    name: Annotated[Words, says("Name of the header or argument.")]


class HttpFile(Strict, frozen=True):
    """How an HTTP target is called. Arguments that are neither in path nor query make the JSON body."""

    method: Annotated[str, says("Method.", pattern=METHODS, expected="GET, POST, PUT, PATCH or DELETE, in capitals")]
    path: Annotated[
        str, says("Below base_url; `{name}` is an argument.", pattern=r"^/\S*$", expected="a path that begins with /")
    ]
    query: Annotated[tuple[ArgumentPath, ...], says("Arguments that go into the query.")] = ()


class FactFile(Strict, frozen=True):
    """Where a response states a fact."""

    at: Annotated[Words, says("Path inside the object; with `*` all values there, as a list.")]
    type: Annotated[
        str, says("text, number or truth, so that rules can be checked.", pattern=TYPES, expected="text, number, truth")
    ] = ""
    unit: Annotated[Unit | None, says("For an amount; it is kept in minor units.")] = None
    currency: Annotated[Words | None, says("Of an amount, ISO 4217.")] = None
    quoted: Annotated[bool, says("Others wrote it: never vouched for.")] = False


class ShowsFile(Strict, frozen=True):
    """Objects that a response tells of, so that rules can compare later calls with what was read."""

    id: Annotated[Words, says("Path inside the object, `$self`, `$key`, `$arguments.PATH` or `$response.PATH`.")]
    kind: Annotated[Words | None, says("What it is, such as order; below `objects` the name stands for it.")] = None
    each: Annotated[Words | None, says("Path to the objects in the response; left out: the response is one.")] = None
    facts: Annotated[dict[str, Words | FactFile], says("Fact to its path, or to a mapping.")] = {}
    owner: Annotated[Words | None, says("Where its customer's id stands, written as `id`.")] = None
    identifies: Annotated[bool, says("The object is the customer, when every argument came from the customer.")] = False
    owner_named: Annotated[bool, says("Its owner is the customer, when the customer said the owner's id.")] = False
    label: Annotated[Words | None, says("Path of what a person calls it.")] = None
    words: Annotated[tuple[Words, ...], says("Paths of what a person describes it by.")] = ()


class NamesFile(Strict, frozen=True):
    """Known objects that a call names."""

    kind: Annotated[Words, says("Kind of object.")]
    argument: Annotated[ArgumentPath | None, says("Argument that holds the id.")] = None
    fact: Annotated[Words | None, says("Or a fact of another role that holds it, such as order.owner.")] = None
    among: Annotated[Words | None, says("Fact with the ids that could have been meant.")] = None
    alike: Annotated[Words | None, says("Fact that the others share.")] = None
    known_as: Annotated[dict[str, tuple[Words, ...]], says("Fact to phrases that mean what it holds.")] = {}


class TotalFile(Strict, frozen=True):
    """A figure computed of facts and arguments: the sum of `plus` less the sum of `minus`, times `times`."""

    plus: Annotated[
        tuple[Words, ...], says("`fact:NAME`, `argument:PATH`, `count:...` of them, or a whole number in quotes.")
    ]
    minus: Annotated[tuple[Words, ...], says("Likewise.")] = ()
    times: Annotated[int, says("Factor.")] = 1


class ToolFile(Strict, frozen=True):
    """One thing an agent may ask for."""

    type: Annotated[ActionType, says("What it does to the world.")]
    arguments: Annotated[Schema, says("JSON Schema of the arguments; see below which keywords.")]
    title: Annotated[Words | None, says("What people call it.")] = None
    description: Annotated[LongText | None, says("What the model is told.")] = None
    result: Annotated[Schema | None, says("JSON Schema of the result.")] = None
    reversibility: Annotated[Reversibility, says("Whether it can be taken back.")] = Reversibility.NONE
    undo: Annotated[CallFile | None, says("The call that takes it back.")] = None
    undo_within_s: Annotated[Count | None, says("For so long after the effect; with reversibility: window.")] = None
    money: Annotated[MoneyFile | None, says("Where amount and currency stand.")] = None
    business_key: Annotated[
        tuple[ArgumentPath, ...], says("Arguments that make two calls the same; left out: all of them.")
    ] = ()
    same_within_s: Annotated[Seconds, says("For so long a second equal call is the first; 0: the conversation.")] = 0
    idempotency: Annotated[KeyFile | None, says("Where the target takes a key by which it does a call once.")] = None
    outcome: Annotated[CheckFile | None, says("How the target is asked what became of a call, by `$key`.")] = None
    verify: Annotated[CheckFile | None, says("The read that shows the effect.")] = None
    objects: Annotated[
        dict[str, Words], says("Argument path to the kind it names; it must be the customer's own.")
    ] = {}
    consequential_values: Annotated[
        tuple[ArgumentPath, ...], says("Arguments whose origin is traced: payee, address, account, amount, order.")
    ] = ()
    traced: Annotated[tuple[ArgumentPath, ...], says("Arguments whose origin rules may ask for.")] = ()
    data: Annotated[dict[str, Words], says("Argument path to the data class that may be restored there.")] = {}
    outbound: Annotated[bool, says("Carries free text, a URL or an address to the outside, though it may read.")] = (
        False
    )
    cool_off_s: Annotated[Seconds, says("An approved call waits so long before it leaves.")] = 0
    permits: Annotated[
        bool | None,
        says("Whether callers that execute themselves get permits; left out: unless its effect is consequential."),
    ] = None
    report_within_s: Annotated[
        int, says("A caller that executes itself reports within so long, else a person is asked.", ge=1, le=3_600)
    ] = 60
    http: Annotated[HttpFile | None, says("How it is called, for an upstream of kind http.")] = None
    manifest: Annotated[Digits64 | None, says("Digest of schema and description that an MCP server announced.")] = None
    shows: Annotated[tuple[Words | ShowsFile, ...], says("Objects of `objects`, or one written here.")] = ()
    names: Annotated[dict[str, NamesFile], says("Role to the known objects that a call names.")] = {}
    totals: Annotated[dict[str, TotalFile], says("Fact to the figure it is.")] = {}
    quotes: Annotated[tuple[Words, ...], says("Paths in the response that others wrote.")] = ()
    fails_with: Annotated[tuple[Words, ...], says("How a response begins when the call had no effect.")] = ()
    recorded: Annotated[dict[str, Words], says("Argument path to the fact that knows the right value.")] = {}
    asks: Annotated[dict[str, tuple[Words, ...]], says("Language to words that stand for this action.")] = {}
    means: Annotated[
        dict[str, dict[str, tuple[Words, ...]]], says("Argument path to its values and phrases that mean them.")
    ] = {}


class ToolsFile(Strict, frozen=True, kw_only=True):
    """`tools/*.yaml`: one target system, and what agents may ask of it. A tool that is not written here is refused."""

    upstream: Annotated[UpstreamFile, says("The target.")]
    objects: Annotated[dict[str, ShowsFile], says("Kinds of objects that several responses tell of.")] = {}
    tools: Annotated[dict[ToolName, ToolFile], says("Tools by name, as the target calls them.", min_length=1)]
