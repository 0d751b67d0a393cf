"""What an agent may call: tools with their effect, and the upstreams that do the work. Part of the published ruleset.

A tool that is not registered here is refused at every autonomy level. Nothing that a target says of itself lowers what
stands here; a hint or a name may only raise it when a tool is drafted (`home.draft_tools`).
"""

from enum import StrEnum
from typing import Any, NewType

import msgspec

from handrail.terms.action import CONSEQUENTIAL, ActionType, ToolId
from handrail.terms.ids import Digest

UpstreamId = NewType("UpstreamId", str)


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of the registry's values."""


class UpstreamKind(StrEnum):
    """How a target is reached."""

    HTTP = "http"
    MCP = "mcp"  # streamable HTTP
    MCP_STDIO = "mcp-stdio"  # a child process of `handrail mcp`


class Credential(Strict, frozen=True):
    """Where the secret is, and which header carries it. The secret itself is never published. `prefix`: what stands
    before it, such as `Bearer `."""

    header: str = "authorization"
    prefix: str = "Bearer "
    env: str | None = None
    file: str | None = None


class Upstream(Strict, frozen=True):
    """One target system. `trusted`: what its reads say counts as the record; False for anything that quotes mails, web
    pages or customers."""

    id: UpstreamId
    kind: UpstreamKind
    base_url: str = ""
    credential: Credential | None = None
    ca_file: str | None = None
    private_network: bool = False
    trusted: bool = False
    timeout_ms: int = 30_000
    max_in_flight: int = 64


class Reversibility(StrEnum):
    """free: at any time. window: until `undo_within_s` after the effect. compensable: by a contrary call that leaves
    both in the books. none: never."""

    FREE = "free"
    WINDOW = "window"
    COMPENSABLE = "compensable"
    NONE = "none"


class Unit(StrEnum):
    """How a target writes amounts. minor: whole cents. major: decimal units, as a number or text."""

    MINOR = "minor"
    MAJOR = "major"


class MoneyAt(Strict, frozen=True):
    """Where amount and currency stand in the arguments (paths with dots, `items.0.price`; `*` sums a list).
    `currency_at` or a fixed `currency`, never both."""

    amount: str
    unit: Unit
    currency_at: str | None = None
    currency: str | None = None


class Call(Strict, frozen=True):
    """Another tool called with values from this one: for an undo, a question by key, a verification. `arguments`: its
    argument names to `$arguments.PATH`, `$response.PATH`, `$key`, or a literal."""

    tool: ToolId
    arguments: dict[str, Any]


class Expect(Strict, frozen=True):
    """What a read must show. `path` in its response; `equals`: as in `Call.arguments`; None: the path must exist."""

    path: str
    equals: Any = None


class Check(Strict, frozen=True):
    """A read and what it must show: after the call it verifies the effect; after a crash it tells the outcome.
    `absent`: what it shows when the call certainly had no effect; without it "not found" proves nothing."""

    call: Call
    expect: tuple[Expect, ...]
    absent: tuple[Expect, ...] = ()


class KeyPlace(StrEnum):
    HEADER = "header"
    ARGUMENT = "argument"
    META = "meta"  # MCP `_meta`


class IdempotencyKey(Strict, frozen=True):
    """Where the target takes the key by which it does a call once and answers a repetition with the first result."""

    place: KeyPlace
    name: str


class Http(Strict, frozen=True):
    """`path` below the upstream's base URL, `{name}` filled from the arguments, percent-encoded. `query`: arguments
    that go into the query string; the others make the JSON body of a method that has one."""

    method: str
    path: str
    query: tuple[str, ...] = ()


class FactAt(Strict, frozen=True):
    """Where a response states a fact. `at`: path inside the object; with `*` all values there, as a list. `unit` and
    `currency` for an amount, which is kept in minor units. `quoted`: others wrote it (the subject of an incoming
    payment, the text of a mail), so it is never vouched for, whoever quotes it. `type`: text, number or truth, for the
    check of rules; empty: unknown."""

    at: str
    type: str = ""
    unit: Unit | None = None
    currency: str = ""
    quoted: bool = False


class Shows(Strict, frozen=True):
    """Objects that a response tells of, so that rules can compare later calls with what was read.

    `kind`: such as `order`. `each`: path to the objects in the response; empty: the response is the object. `id`: path
    inside the object, `$self` for the object itself, `$key` for its key in a mapping, `$arguments.PATH` of the call,
    `$response.PATH` of the whole response. `facts`: name to place. `owner`: where its customer's id stands, written as
    `id`. `identifies`: the object is the customer of this conversation, when every argument of the call was the
    customer's own word or verified. `owner_named`: its owner is the customer, when the customer said the owner's id.
    `label`, `words`: places of what a person calls it and describes it by (product;
    options, price). Without a label the words are names themselves (an order by what is in it)."""

    kind: str
    id: str
    each: str = ""
    facts: dict[str, FactAt] = {}
    owner: str = ""
    identifies: bool = False
    owner_named: bool = False
    label: str = ""
    words: tuple[str, ...] = ()


class Names(Strict, frozen=True):
    """Known objects that a call names: by an argument (`item_ids.*`) or by a fact of another role (`order.owner`).

    Which others could have been meant, when a person speaks of them by description: the ids in the fact `among`
    (`user.orders`), and the known ones that share the fact `alike` (`product`). `known_as`: fact to the phrases by
    which a person means what it holds ("the original payment method"), when it holds one value."""

    kind: str
    argument: str = ""
    fact: str = ""
    among: str = ""
    alike: str = ""
    known_as: dict[str, tuple[str, ...]] = {}


class Total(Strict, frozen=True):
    """A figure computed of facts and arguments: the sum of `plus` less the sum of `minus`, times `times`. Each term is
    `fact:NAME`, `argument:PATH`, `count:fact:NAME`, `count:argument:PATH` or a whole number. Missing or not a whole
    number: the figure is missing too."""

    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()
    times: int = 1


class Tool(Strict, frozen=True):
    """One thing an agent may ask for.

    `arguments`: JSON Schema 2020-12 of the arguments, `additionalProperties` false unless it says otherwise.
    `business_key`: argument paths that make two calls the same; empty: all arguments. `same_within_s`: for so long a
    second equal call is answered by the first; 0: within the conversation, at most 24 h. `objects`: argument path to
    the kind of thing it names (`order`), which must be the customer's own. `consequential_values`: argument paths whose
    origin is traced (payee, address, account, amount, order). `data`: argument path to the data class whose masked
    values may be restored there. `outbound`: it carries free text, a URL or an address to the outside, although it may
    only read. `cool_off_s`: an approved call waits so long before it leaves. `manifest`: digest of the schema and
    description that an MCP upstream announced; a change there holds every call until it is published again.
    `place`: file and field, for reasons. `permits`: whether callers that execute themselves get permits; None: unless
    its effect is consequential (`gives_permits`). `report_within_s`: within so long they report what came of it.

    `shows`: what its responses teach. `names`: role to the known objects that its arguments name; a role's facts are
    called `ROLE.FACT`, with `ROLE.id`, `ROLE.known`, `ROLE.count` and `ROLE.distinct` besides. `totals`: fact name to
    what it is computed of. `quotes`: paths in the response that others wrote. `fails_with`: how the response's text
    begins when the call had no effect. `recorded`: argument path to the fact that knows the right value (a list: any of
    it); another value is contradicted by the record. `asks`: words, by language, that stand for this action in a
    conversation. `traced`: arguments whose origin rules may ask for, without the built-in hold. `means`: argument path
    to its values and the phrases by which a person means them; such an argument needs the customer's consent too.
    """

    id: ToolId
    upstream: UpstreamId
    name: str
    type: ActionType
    arguments: dict[str, Any]
    title: str = ""
    description: str = ""
    result: dict[str, Any] | None = None  # JSON Schema of the result
    reversibility: Reversibility = Reversibility.NONE
    undo: Call | None = None
    undo_within_s: int | None = None
    money: MoneyAt | None = None
    business_key: tuple[str, ...] = ()
    same_within_s: int = 0
    idempotency: IdempotencyKey | None = None
    outcome: Check | None = None
    verify: Check | None = None
    objects: dict[str, str] = {}
    consequential_values: tuple[str, ...] = ()
    data: dict[str, str] = {}
    outbound: bool = False
    cool_off_s: int = 0
    http: Http | None = None
    manifest: Digest | None = None
    place: str = ""
    shows: tuple[Shows, ...] = ()
    names: dict[str, Names] = {}
    totals: dict[str, Total] = {}
    quotes: tuple[str, ...] = ()
    fails_with: tuple[str, ...] = ()
    recorded: dict[str, str] = {}
    asks: dict[str, tuple[str, ...]] = {}
    traced: tuple[str, ...] = ()
    means: dict[str, dict[str, tuple[str, ...]]] = {}
    permits: bool | None = None
    report_within_s: int = 60


def gives_permits(tool: Tool) -> bool:
    """Whether a caller may execute it itself."""
    return tool.type not in CONSEQUENTIAL if tool.permits is None else tool.permits
