"""The kinds of entries and their facts, for good: add, never rename.

An entry = facts (canonical JSON, no personal data, a 128-bit salt, every column a figure needs) + an optional payload
(compressed, then encrypted under the subject's key). The leaf of the log covers the digests of both (`ledger.tree`).
"""

from enum import StrEnum

import msgspec

from handrail.terms.actor import Actor
from handrail.terms.decision import Outcome, Reason, Verdict
from handrail.terms.finding import Kind
from handrail.terms.ids import ConversationId, Digest, EntryId, InteractionId, SubjectId, UseCaseId

VERSION = 1


class EntryKind(StrEnum):
    """`area.what`. In the ledger for good."""

    INTERACTION_OPENED = "interaction.opened"
    INTERACTION_CLOSED = "interaction.closed"  # the full entry
    INTERACTION_INTERRUPTED = "interaction.interrupted"
    CALL_UNREGISTERED = "call.unregistered"  # counted per minute and source
    CALL_REFUSED = "call.refused"  # a known key, refused before an interaction existed
    DISCLOSURE_RECORDED = "disclosure.recorded"
    RULESET_PUBLISHED = "ruleset.published"
    RELEASE_PUBLISHED = "release.published"
    RELEASE_LIVE = "release.live"
    RELEASE_DRAFTED = "release.drafted"
    RELEASE_TESTED = "release.tested"
    RELEASE_SIGNED_OFF = "release.signed_off"  # one role's yes
    RELEASE_STARTED = "release.started"
    RELEASE_ADVANCED = "release.advanced"
    RELEASE_FROZEN = "release.frozen"
    RELEASE_THAWED = "release.thawed"
    RELEASE_ASKED = "release.asked"  # its owner must decide
    RELEASE_PROMOTED = "release.promoted"
    RELEASE_ROLLED_BACK = "release.rolled_back"  # with the verdict and its numbers, where there is one
    RELEASE_RETIRED = "release.retired"
    RELEASE_STILL_ANSWERING = "release.still_answering"  # after it was rolled back for safety
    RELEASE_UNITS_FORGOTTEN = "release.units_forgotten"  # after their time; the totals stand in its verdict
    PROBE_ANSWERED = "probe.answered"  # a test was answered: no interaction, in no figure
    PROBE_DECIDED = "probe.decided"  # what would have become of a test's action; nothing did
    PROBE_CHANGED = "probe.changed"  # the same question to the same release is answered otherwise
    TRIAL_RAN = "trial.ran"  # the tests of a use case, with what they showed
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    KEY_ROTATED = "key.rotated"
    PERSON_ADDED = "person.added"
    PERSON_CHANGED = "person.changed"
    TOKEN_CREATED = "token.created"  # noqa: S105  the name of a kind
    TOKEN_REVOKED = "token.revoked"  # noqa: S105  the name of a kind
    SIGNED_IN = "person.signed_in"
    SIGN_IN_FAILED = "person.sign_in_failed"  # with how many in a row; not one entry for each
    CONFIRMED = "person.confirmed"  # showed again who she is
    SIGNED_OUT = "person.signed_out"
    SESSION_ENDED = "session.ended"  # by its person elsewhere, or by an admin
    FACTOR_CHANGED = "factor.changed"  # a password, an app, a passkey, recovery codes, an account at the provider
    DEMO_MADE = "demo.made"  # this database belongs to the demo for good
    OUTCOME_REPORTED = "outcome.reported"
    OUTCOME_MATCHED = "outcome.matched"  # one that matched nothing when it came has found its conversation
    SUBJECT_LINKED = "subject.linked"
    SUBJECT_ERASED = "subject.erased"
    LEGAL_HOLD_SET = "legal_hold.set"
    LEGAL_HOLD_LIFTED = "legal_hold.lifted"
    RETENTION_APPLIED = "retention.applied"
    LOG_KEY_ROTATED = "log_key.rotated"
    SEALING_KEY_ROTATED = "sealing_key.rotated"
    PERMIT_KEY_ROTATED = "permit_key.rotated"
    KEY_ENCRYPTION_KEY_ROTATED = "key_encryption_key.rotated"
    SERVER_STARTED = "server.started"
    SERVER_STOPPED = "server.stopped"
    PAYLOAD_READ = "payload.read"
    BACKUP_MADE = "backup.made"
    BACKUP_RESTORED = "backup.restored"
    ACTION_DECIDED = "action.decided"  # allowed, changed, held or denied, with the whole input of the decision
    ACTION_APPROVED = "action.approved"  # one person's yes
    ACTION_DENIED = "action.denied"  # by a person
    ACTION_EDITED = "action.edited"
    ACTION_ESCALATED = "action.escalated"
    ACTION_HANDED_ON = "action.handed_on"
    ACTION_EXPIRED = "action.expired"
    ACTION_LAPSED = "action.lapsed"
    ACTION_REVOKED = "action.revoked"
    ACTION_CANCELLED = "action.cancelled"
    ACTION_UNREACHABLE = "action.unreachable"
    ACTION_TRIED = "action.tried"  # what would be decided; nothing follows
    ACTION_PERMITTED = "action.permitted"  # its caller got a one-time permit to execute it
    ACTION_CLAIMED = "action.claimed"  # the only one that a call follows
    ACTION_TAKEN_OVER = "action.taken_over"
    ACTION_DONE = "action.done"  # with its receipt
    ACTION_FAILED = "action.failed"  # certainly without effect
    ACTION_UNKNOWN = "action.unknown"  # a person is asked
    ACTION_SETTLED = "action.settled"
    DRILL_STARTED = "drill.started"
    DRILL_DECIDED = "drill.decided"  # beside the entry of the decision itself
    DRILL_FORGOTTEN = "drill.forgotten"
    STOP_SET = "stop.set"
    STOP_LIFTED = "stop.lifted"
    NOTICE_GIVEN_UP = "notice.given_up"  # a receiver could not be reached in time
    NOTICE_RETRIED = "notice.retried"  # by a person
    ALERT_RAISED = "alert.raised"
    ALERT_ACKNOWLEDGED = "alert.acknowledged"
    ALERT_ESCALATED = "alert.escalated"  # nobody answered in time
    ALERT_CLOSED = "alert.closed"
    ALERT_SILENCED = "alert.silenced"  # for a time
    BASELINE_LEARNT = "baseline.learnt"  # what a metric is compared with from now on
    AUTONOMY_DEMOTED = "autonomy.demoted"  # levels were lowered, with what caused it
    AUTONOMY_KEPT = "autonomy.kept"  # a trigger lowered nothing; the wait for a promotion begins anew
    AUTONOMY_ASKED = "autonomy.asked"  # the first of two persons wants to promote
    AUTONOMY_PROMOTED = "autonomy.promoted"  # by a person, on stated figures
    AUTONOMY_OVERRIDDEN = "autonomy.overridden"  # promoted by a person although something was not met
    INCIDENT_OPENED = "incident.opened"
    INCIDENT_MOVED = "incident.moved"  # contained, reviewed, a task, a note, another owner
    INCIDENT_CLOSED = "incident.closed"
    FINDING_JUDGED = "finding.judged"  # one person's word: right or wrong
    FLAG_RAISED = "flag.raised"  # a person says that there is a mistake in an interaction
    FLAG_WITHDRAWN = "flag.withdrawn"  # she takes it back


class FoundFact(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One finding without its text. `side`: input or output; `message`: index of the message it was first seen in."""

    kind: Kind
    side: str
    score: float
    reason: str
    action: str
    message: int = 0
    new: bool = True  # first seen in this interaction: counts and alerts once


class InteractionFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Every column a figure needs. Times and latencies in ms, cost in millionths of a minor unit. Fields below the line
    are reserved for later capabilities, so that adding them is no migration."""

    interaction: InteractionId
    conversation: ConversationId
    use_case: UseCaseId
    key: str
    agent: str = ""
    route: str = ""  # gateway route, such as `chat.completions`
    channel: str = ""
    language: str = ""
    stream: bool = False
    first: bool = False  # first interaction of its conversation
    unlinked: bool = False  # the conversation was not known and could not be inferred
    release: Digest | None = None
    provider: str = ""
    model: str = ""
    prompt_digest: Digest | None = None
    verdict: Verdict = Verdict.ALLOW
    would_be: Verdict | None = None  # in observe mode
    outcome: Outcome | None = None
    reasons: tuple[Reason, ...] = ()
    findings: tuple[FoundFact, ...] = ()
    failures: tuple[str, ...] = ()  # detectors that did not answer, `name:why`
    status: int = 0
    error: str = ""
    messages_new: int = 0
    messages_total: int = 0
    tool_calls: int = 0
    untrusted: bool = False  # an injection was found in what this answer rests on
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_minor: int = 0
    latency_ms: int = 0
    first_byte_ms: int = 0
    upstream_ms: int = 0
    attempts: int = 0
    trace: str = ""
    stage: int = 0  # of the rollout that drew the conversation: its step
    arm: str = ""  # canary, control, pilot, hold_out; empty: not drawn
    share: float = 0.0  # of the canary, at the draw
    region: str = ""  # where the client says the customer is, of those that the use case declares
    answered_by: str = ""  # the model, and its fingerprint, as the provider says
    intent: str = ""  # of the opening, where intents are declared; on a first interaction only, as the next three
    size: int = 0  # of the opening: bit length of its number of characters
    questions: int = 0  # question marks in it, at most 3
    topics: tuple[int, ...] = ()  # of it: buckets, 0 to 63, of the keyed hashes of some of its words
    served_with: str = ""  # what the head of its answer says of how it is served (`guard.served`)
    # reserved
    holder: str = "bot"
    knowledge_root: Digest | None = None
    parent: str = ""
    proposal: str = ""
    handover: str = ""


class UnregisteredFacts(msgspec.Struct, frozen=True):
    """Facts of `call.unregistered` and `call.refused`: so many calls of one minute (Unix minutes) from one source, a
    keyed hash that only groups calls (`gateway.identity.Refusals`). `key`: the id of a known key."""

    minute: int
    source: str
    code: str
    key: str
    count: int


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a command appends. `about`: the id of what changed, for entries that are not interactions. `facts`: a Struct
    of this module or a small Struct of the area that writes it; it is encoded as canonical JSON with a salt. `payload`:
    clear bytes (JSON) that the journal compresses and seals under `subject`; both or neither."""

    id: EntryId
    kind: EntryKind
    at_ms: int
    actor: Actor
    facts: msgspec.Struct | None = None
    about: str = ""
    use_case: UseCaseId | None = None
    conversation: ConversationId | None = None
    interaction: InteractionId | None = None
    subject: SubjectId | None = None
    payload: bytes | None = None
    ruleset: Digest | None = None
    release: Digest | None = None
