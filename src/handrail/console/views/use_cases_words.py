"""Words for what a ruleset declares: kinds of findings, types of action, what is done, limits; pure."""

from handrail.console.views.frame import ROLE_NAMES
from handrail.console.words import N_, Words
from handrail.policy.action_rules import Limit, Per, Rule, Within
from handrail.policy.ramp import Ramp, Stage
from handrail.policy.ruleset import Audience, FindingAction, OnFailure, PromptMode, StreamMode
from handrail.terms.action import ActionType
from handrail.terms.decision import Verdict
from handrail.terms.finding import Kind
from handrail.tools.registry import Reversibility
from handrail.watch.drift import upper_bound

TYPES = {
    ActionType.READ: N_("Reads"),
    ActionType.ASSERT: N_("Tells customers"),
    ActionType.WRITE_UNDOABLE: N_("Changes that can be undone"),
    ActionType.WRITE_FINAL: N_("Final changes"),
    ActionType.MONEY: N_("Moves money"),
    ActionType.ACCESS: N_("Gives access"),
    ActionType.ADVERSE: N_("Acts against a customer"),
    ActionType.CONTACT: N_("Contacts people"),
}
DONE = {
    FindingAction.BLOCK: ("deny", N_("Stopped")),
    FindingAction.HANDOVER: ("hold", N_("Handed to a person")),
    FindingAction.MASK: ("allow", N_("Masked")),
    FindingAction.MARK: ("", N_("Recorded only")),
}
KINDS = {
    Kind.CARD: N_("card number"),
    Kind.CVV: N_("card security code"),
    Kind.IBAN: N_("IBAN"),
    Kind.ACCOUNT: N_("account number"),
    Kind.EMAIL: N_("e-mail address"),
    Kind.PHONE: N_("phone number"),
    Kind.SSN: N_("social security number (US)"),
    Kind.NINO: N_("national insurance number (UK)"),
    Kind.DOB: N_("date of birth"),
    Kind.PASSPORT: N_("passport or ID number"),
    Kind.ADDRESS: N_("postal address"),
    Kind.POSTCODE: N_("postcode"),
    Kind.IP: N_("IP address"),
    Kind.PERSON: N_("name of a person"),
    Kind.PASSWORD: N_("password"),
    Kind.PIN: N_("PIN"),
    Kind.OTP: N_("one-time code"),
    Kind.HEALTH: N_("health"),
    Kind.SECRET: N_("technical secret"),
    Kind.INJECTION: N_("instructions of an outsider"),
    Kind.COMPLAINT: N_("complaint"),
    Kind.LEGAL: N_("legal threat"),
    Kind.VULNERABILITY: N_("person in need"),
    Kind.HUMAN: N_("wish for a person"),
    Kind.LEAVE: N_("wish to leave"),
    Kind.UNGROUNDED: N_("claim without a source"),
    Kind.LINK: N_("unknown link"),
    Kind.MARKUP: N_("active markup"),
    Kind.PROMPT_LEAK: N_("leaked prompt"),
    Kind.DECLINED: N_("refusal of the model"),
    Kind.UNREADABLE: N_("part that nobody could read"),
    Kind.UNSEEN_PROMPT: N_("prompt that was never seen"),
    Kind.UNSCREENED: N_("text that no detector saw"),
}
THEN = {
    Verdict.ALLOW: ("allow", N_("Allows")),
    Verdict.CHANGE: ("acc", N_("Changes arguments")),
    Verdict.HOLD: ("hold", N_("Holds for a person")),
    Verdict.DENY: ("deny", N_("Denies")),
}
PERS = {
    Per.ACTION: N_("per action"),
    Per.CUSTOMER: N_("per customer"),
    Per.OBJECT: N_("per object, such as an order"),
    Per.CONVERSATION: N_("per conversation"),
    Per.AGENT: N_("per agent"),
    Per.USE_CASE: N_("per use case"),
    Per.FLEET: N_("for all agents together"),
}
WITHINS = {
    Within.MINUTE: N_("in a minute"),
    Within.HOUR: N_("in an hour"),
    Within.DAY: N_("in a day"),
    Within.MONTH: N_("in a month"),
    Within.EVER: N_("ever"),
}
AUDIENCES = {Audience.CUSTOMER: N_("Customers"), Audience.STAFF: N_("Staff")}
PROMPTS = {
    PromptMode.CLIENT: N_("The agent brings its own prompt; only its digest is seen here."),
    PromptMode.MANAGED: N_("handrail sets this prompt, whatever the agent sends."),
}
STREAMS = {
    StreamMode.WINDOW: N_("a few words wait"),
    StreamMode.SENTENCE: N_("a sentence waits"),
    StreamMode.WHOLE: N_("the answer waits for its end"),
}
FAILURES = {OnFailure.REFUSE: N_("nothing passes"), OnFailure.MARK: N_("it passes, marked")}
REVERSIBLE = {
    Reversibility.FREE: N_("Can be undone at any time"),
    Reversibility.WINDOW: N_("Can be undone for {time}"),
    Reversibility.COMPENSABLE: N_("A contrary booking makes up for it"),
    Reversibility.NONE: N_("Cannot be undone"),
}
RATES = {
    "complaint_rate": ("complaint", N_("Customers complain")),
    "transfer_rate": ("transfer", N_("Handed to a person")),
    "repeat_contact_rate": ("repeat_contact", N_("Customers come again about it")),
    "refund_reversed_rate": ("refund_reversed", N_("A refund had to be taken back")),
    "override_rate": ("override", N_("Staff change what the AI proposes")),
    "low_csat_rate": ("low_csat", N_("Low marks in the survey")),
    "unresolved_rate": ("unresolved", N_("Not resolved")),
    "ungrounded_rate": ("ungrounded", N_("Claims without a source")),
    "blocked_rate": ("blocked", N_("Answers stopped")),
    "handover_rate": ("handed_over", N_("Handed over by a rule")),
    "failed_rate": ("failed", N_("No answer")),
}


def kind_words(kind: Kind, words: Words) -> str:
    return words(KINDS[kind]) if kind in KINDS else kind.value


def limit_said(limit: Limit, words: Words) -> str:
    """In one sentence."""
    most = (
        words.money(limit.at_most, limit.currency)
        if limit.currency
        else words.plural("{n} call", "{n} calls", limit.at_most)
    )
    over = (
        words(N_("above it, a person decides")) if limit.over is Verdict.HOLD else words(N_("above it, it is denied"))
    )
    when = "" if limit.per is Per.ACTION else f" {words(WITHINS[limit.within])}"
    return words(N_("At most {most} {per}{when}; {over}."), most=most, per=words(PERS[limit.per]), when=when, over=over)


def applies(one: Rule | Limit, use_case: str, tools: frozenset[str], types: frozenset[ActionType]) -> bool:
    """Whether a rule or limit can concern a use case with these tools of these types."""
    if one.use_cases and use_case not in one.use_cases:
        return False
    if one.tools and not tools & frozenset(map(str, one.tools)):
        return False
    return not one.types or bool(types & frozenset(one.types))


def held_to(bad: int, cases: int, limit: float) -> tuple[str, str]:
    """Against its limit, in a tone and a word. Few cases show nothing: it is within the limit where that holds at the
    upper end of what they allow (95 %)."""
    if bad > limit * cases:
        return "deny", N_("Exceeded")
    if not limit:
        return "", N_("None so far")
    return ("allow", N_("Within the limit")) if upper_bound(bad, cases) <= limit else ("", N_("Too few cases to say"))


def stages_said(ramp: Ramp | None, words: Words) -> tuple[str, ...]:
    """One sentence for each."""
    return tuple(_stage_said(one, words) for one in ramp.stages) if ramp is not None else ()


def _stage_said(stage: Stage, words: Words) -> str:
    share = share_said(stage.share, words)
    if stage.pilot:
        who = ", ".join(f"{name}: {value}" for name, value in sorted(stage.pilot.items()))
        return words(N_("Pilot with {who}, {share}"), share=share, who=who)
    least = [words.lasting(int(stage.least_minutes * 60_000))] * bool(stage.least_minutes)
    if stage.least_units:
        least.append(words.plural("{n} compared", "{n} compared", stage.least_units))
    if not least:
        return words(N_("{share}, without a least time"), share=share)
    return words(N_("{share}, at least {least}"), share=share, least=words(N_(" and ")).join(least))


def share_said(share: float, words: Words) -> str:
    """Of conversations: half a per cent is not nothing."""
    return words.percent(share, 0 if share >= 0.01 else 1)


def ramped_said(ramp: Ramp | None, words: Words) -> str:
    """Who must agree before it starts."""
    if ramp is None:
        return words(N_("A published change answers everybody at once: no ramp is declared."))
    if ramp.sign_offs:
        roles = ", ".join(words(ROLE_NAMES.get(role, role)) for role in ramp.sign_offs)
        return words(N_("Before it starts, these roles agree: {roles}."), roles=roles)
    return words(N_("Nobody has to agree before it starts."))
