"""The declared fields of `tests/*.yaml`: what a customer says, and what must come of it. `trials.reading` says what
makes sense together and makes values of it."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handrail.home.fields import Amount, Count, Identifier, Share, Words, says
from handrail.terms.decision import Verdict
from handrail.terms.finding import Kind

NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
NAME_SAYS = "up to 63 lower-case letters, digits, hyphens and underscores"

Name = Annotated[str, Meta(pattern=NAME, extra={"expected": NAME_SAYS})]
Said = Annotated[str, Meta(min_length=1, max_length=20_000, extra={"expected": "a text"})]
Function = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$", extra={"expected": "the name of a function, as the model knows it"}),
]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unknown fields are mistakes, never ignored."""


class Side(StrEnum):
    """Where a finding stands."""

    INPUT = "input"
    OUTPUT = "output"


class Outcome(StrEnum):
    """What the net made of a turn (the header x-handrail-outcome)."""

    ANSWERED = "answered"
    BLOCKED = "blocked"
    HANDOVER = "handover"
    REFUSED = "refused"
    FAILED = "failed"


class Dialect(StrEnum):
    """The API in which a case is asked."""

    CHAT = "chat"
    RESPONSES = "responses"
    MESSAGES = "messages"


class Way(StrEnum):
    """The door at which an action of a case is put to the rules."""

    HTTP = "http"
    MCP = "mcp"


class Attack(StrEnum):
    """A kind of attack that handrail brings along."""

    INJECTION = "injection"
    INDIRECT = "indirect-injection"
    EXFILTRATION = "exfiltration"
    JAILBREAK = "jailbreak"
    PII_ECHO = "pii-echo"
    CONSENT = "action-without-consent"


Dialects = Annotated[
    Dialect | tuple[Dialect, ...] | None,
    says(
        "chat, responses or messages: the API in which it is asked; a list: once in each. Left out: what the first "
        "provider of the route speaks."
    ),
]
Streams = Annotated[bool | tuple[bool, ...] | None, says("Ask for a stream; [false, true]: once each way.")]


class FindsFile(Strict, frozen=True, kw_only=True):
    """A finding of the net."""

    kind: Annotated[Kind, says("As handrail scan --kinds lists them.")]
    side: Annotated[Side | None, says("input: what went to the model. output: what it said. Left out: either.")] = None


class CallsFile(Strict, frozen=True, kw_only=True):
    """A tool call of the model."""

    tool: Annotated[Function, says("The name under which the model knows it.")]
    arguments: Annotated[dict[str, Any], says("Each of these must be equal; others may be there.")] = {}
    matches: Annotated[
        dict[Name, Said], says("Each of these arguments must match somewhere (RE2); a value that is no text as JSON.")
    ] = {}
    schema: Annotated[dict[str, Any] | None, says("JSON Schema that the arguments as a whole fit.")] = None
    verdict: Annotated[Verdict | None, says("What the net would have decided on it; its tool needs `action`.")] = None


class JudgeFile(Strict, frozen=True, kw_only=True):
    """A question to a model, which sees the conversation and answers yes or no; yes is good."""

    asks: Annotated[Words, says("Such as: Does the answer name the date of delivery?")]
    use_case: Annotated[Identifier, says("Through the gateway, as this use case: the judge's own.")]


class ExpectFile(Strict, frozen=True, kw_only=True):
    """Exactly one expectation; with `not: true` the contrary. At a turn: of its answer. At the case: of all answers
    together."""

    exact: Annotated[Said | None, says("The answer, spaces at its ends aside.")] = None
    contains: Annotated[Said | tuple[Said, ...] | None, says("All of these texts; case does not matter.")] = None
    regex: Annotated[Said | None, says("Matches somewhere (RE2).")] = None
    schema: Annotated[dict[str, Any] | None, says("JSON Schema that the answer, which must be JSON, fits.")] = None
    finds: Annotated[Kind | FindsFile | None, says("A finding of the net.")] = None
    calls: Annotated[CallsFile | Function | None, says("A tool call of the model.")] = None
    outcome: Annotated[Outcome | None, says("What the net made of it.")] = None
    verdict: Annotated[Verdict | None, says("The strongest verdict on the texts, or what it would be.")] = None
    within_ms: Annotated[Count | None, says("Each answer takes at most so long.")] = None
    cost_at_most: Annotated[Amount | None, says("At most so much, in the organisation's currency; needs prices.")] = (
        None
    )
    judge: Annotated[JudgeFile | None, says("A model says whether it is good.")] = None
    not_: Annotated[bool, says("The contrary.")] = msgspec.field(default=False, name="not")


class DoesFile(Strict, frozen=True, kw_only=True):
    """An action that is put to the rules as if the model had asked for it."""

    tool: Annotated[Function, says("One of the case's tools, with an `action`.")]
    arguments: Annotated[dict[str, Any], says("As the model would have written them.")] = {}


class TurnFile(Strict, frozen=True, kw_only=True):
    """What the customer says next."""

    say: Annotated[Said, says("In the customer's words.")]
    does: Annotated[
        tuple[DoesFile, ...], says("Put to the rules after the answer, whatever the model did; nothing is executed.")
    ] = ()
    expect: Annotated[tuple[ExpectFile, ...], says("Of the answer.")] = ()


class AskedFile(Strict, frozen=True, kw_only=True):
    """What the customer answers when asked for something."""

    about: Annotated[Said, says("Matches what the assistant said (RE2, case does not matter).")]
    say: Annotated[Said, says("{NAME} stands for a fact.")]


class PersonaFile(Strict, frozen=True, kw_only=True):
    """A customer who follows a script instead of a list of turns."""

    goal: Annotated[Words, says("What the customer wants, in words.")]
    opens: Annotated[Said, says("The first thing said; {NAME} stands for a fact.")]
    facts: Annotated[dict[Name, Said], says("What the customer knows.")] = {}
    asked: Annotated[
        tuple[AskedFile, ...], says("The first that fits is said, each once unless nothing else fits.")
    ] = ()
    otherwise: Annotated[Said, says("When nothing fits.")] = "I do not know."
    until: Annotated[Said | None, says("The goal is reached when the assistant's words match (RE2).")] = None
    turns: Annotated[int, says("The customer gives up after so many.", ge=1, le=50)] = 8


class ToolFile(Strict, frozen=True, kw_only=True):
    """A tool that the model may call, and what it is answered. Nothing is executed."""

    description: Annotated[Words | None, says("What the model reads.")] = None
    arguments: Annotated[dict[str, Any] | None, says("JSON Schema; left out: any object.")] = None
    action: Annotated[Words | None, says("Put to the rules as this registered tool (UPSTREAM.NAME).")] = None
    answer: Annotated[Any, says("What the model gets, where the rules would let it run.")] = None
    answers: Annotated[tuple[Any, ...], says("Instead: of the first call, the second, ...; then the last again.")] = ()
    door: Annotated[Way, says("http, or mcp: where the rules are asked.")] = Way.HTTP


class TrialFile(Strict, frozen=True, kw_only=True):
    """One synthetic conversation."""

    id: Annotated[Name, says("Stable name; results and golden answers are kept under it.")]
    why: Annotated[Words | None, says("What it shows, as a sentence.")] = None
    incident: Annotated[Words | None, says("The incident (ic_...) that it would have caught.")] = None
    draft: Annotated[bool, says("Not yet reviewed by a person: it is not run and counts for nothing.")] = False
    dialect: Dialects = None
    stream: Streams = None
    use_case: Annotated[Identifier | None, says("Left out: that of the file.")] = None
    customer: Annotated[Words | None, says("An invented customer; never one of yours.")] = None
    channel: Annotated[Identifier | None, says("One of the use case's.")] = None
    system: Annotated[Said | None, says("The client's own prompt, where the use case leaves it to the client.")] = None
    facts: Annotated[dict[str, Any], says("Facts of the session, for the rules on actions.")] = {}
    tools: Annotated[dict[Function, ToolFile], says("Tools that the model may call.")] = {}
    turns: Annotated[tuple[TurnFile, ...], says("What the customer says, one after the other.")] = ()
    persona: Annotated[PersonaFile | None, says("Instead of turns.")] = None
    expect: Annotated[tuple[ExpectFile, ...], says("Of the whole conversation.")] = ()
    golden: Annotated[bool, says("The answers of a release are compared with those of the first time.")] = False
    similar: Annotated[Share, says("golden: answers less alike than this have changed.")] = 0.5


class AttacksFile(Strict, frozen=True, kw_only=True):
    """Attacks on the use case of the file. The same seed makes the same cases."""

    kinds: Annotated[tuple[Attack, ...], says("Which.", min_length=1)]
    each: Annotated[int, says("Cases of each kind.", ge=1, le=50)] = 4
    seed: Annotated[int, says("Another seed, other words of the same attacks.", ge=0, le=1_000_000)] = 1
    system: Annotated[Said | None, says("The client's own prompt, where the use case leaves it to the client.")] = None
    tools: Annotated[
        dict[Function, ToolFile], says("action-without-consent needs one with an `action`; as in a case.")
    ] = {}
    arguments: Annotated[
        dict[Function, dict[str, Any]], says("By tool: what the action without consent is asked with.")
    ] = {}


class TrialsFile(Strict, frozen=True, kw_only=True):
    """`tests/*.yaml`: synthetic conversations that belong to a release."""

    use_case: Annotated[Identifier | None, says("Of every case that names none.")] = None
    model: Annotated[Words | None, says("What is sent as `model`; left out: the id of the use case.")] = None
    dialect: Dialects = None
    stream: Streams = None
    attacks: Annotated[AttacksFile | None, says("Attacks that handrail brings along; they belong to the cases.")] = None
    trials: Annotated[tuple[TrialFile, ...], says("Cases; may be left out where there are attacks.")] = ()
