"""Words for the figures of the watch: a name, what is counted, and what that hides; pure. What is counted is defined in
`watch.metrics`; here it is said for people who lead customer experience."""

from typing import NamedTuple

from handrail.console.words import N_
from handrail.review.outcome import OutcomeType
from handrail.watch.metrics import Side


class Named(NamedTuple):
    """`needs`: an event that somebody must report. `share`: it is one, or how often an amount is higher than usual."""

    side: Side
    name: str
    hint: str
    needs: OutcomeType | None = None
    share: bool = True


_CX, _AI = Side.CUSTOMER, Side.AI
METRICS = {
    "transfer": Named(
        _CX, N_("Transfers to a human"),
        N_("Conversations handed to a person. What a rule forced is not among them: it is no failure."),
        OutcomeType.TRANSFER,
    ),
    "repeat_contact": Named(
        _CX, N_("Repeat contact"),
        N_("The customer came again about it within 48 hours. Of customers who are not known nobody can tell."),
        OutcomeType.REPEAT_CONTACT,
    ),
    "complaint": Named(
        _CX, N_("Complaints"),
        N_("Complaints that were reported; those that the net heard by itself stand among the alerts."),
        OutcomeType.COMPLAINT,
    ),
    "low_csat": Named(
        _CX, N_("Low ratings"), N_("1 or 2 of 5, of answered surveys. Read it beside how many answered."),
        OutcomeType.CSAT,
    ),
    "csat_answered": Named(
        _CX, N_("Surveys answered"), N_("Where this falls, the ratings say less."), OutcomeType.CSAT
    ),
    "unresolved": Named(
        _CX, N_("Not resolved"), N_("Of conversations whose resolution is known."), OutcomeType.RESOLUTION
    ),
    "override": Named(
        _CX, N_("Proposals changed by staff"),
        N_("Edited or rejected. A proposal that was ignored is not an accepted one."), OutcomeType.OVERRIDE,
    ),
    "refund_reversed": Named(
        _CX, N_("Refunds taken back"), N_("Conversations of which a refund was reversed later."),
        OutcomeType.REFUND_REVERSED,
    ),
    "contained": Named(
        _CX, N_("Contained"),
        N_("Answered without transfer, repeat contact and complaint. Dead ends count as contained until the customer "
           "comes back: read it beside repeat contact."),
        OutcomeType.REPEAT_CONTACT,
    ),
    "forced": Named(_CX, N_("Handed over by a rule"), N_("At any turn. A rule at work, no failure.")),
    "handle_time": Named(
        _CX, N_("Handle time of people"), N_("Half took at most, nine of ten took at most; after-work counts."),
        OutcomeType.HANDLE_TIME, share=False,
    ),
    "cost_per_resolution": Named(
        _CX, N_("Cost per resolution"),
        N_("Everything that was spent, for each conversation that was resolved and not repeated."),
        OutcomeType.RESOLUTION, share=False,
    ),
    "ungrounded": Named(_AI, N_("Ungrounded answers"), N_("With a claim that its sources do not carry.")),
    "blocked": Named(_AI, N_("Answers stopped"), N_("A rule kept the answer from the customer.")),
    "failed": Named(_AI, N_("Without an answer"), N_("The model or the way to it failed.")),
    "declined": Named(
        _AI, N_("Refusals of the model"),
        N_("It said that it will not or cannot help. Found by rules in English and German."),
    ),
    "handed_over": Named(_AI, N_("Handed over in the answer"), N_("By a rule. At work, no failure.")),
    "finding": Named(_AI, N_("With a finding"), N_("Something the net first saw there, on either side.")),
    "held": Named(_AI, N_("Actions held for a person"), N_("Of the actions that agents asked for.")),
    "latency": Named(_AI, N_("Slow answers"), N_("Half came within, 95 of 100 came within.")),
    "length": Named(_AI, N_("Long answers"), N_("In tokens: half at most, 95 of 100 at most.")),
    "cost": Named(_AI, N_("Dear answers"), N_("The model's cost of an answer, half at most, 95 of 100 at most.")),
    "turns": Named(
        _AI, N_("Long conversations"), N_("Messages that the model was sent: half at most, 95 of 100 at most.")
    ),
    "tool_calls": Named(_AI, N_("Many tool calls"), N_("In one answer: half at most, 95 of 100 at most.")),
    "tokens": Named(_AI, N_("Tokens"), N_("In and out, for each interaction."), share=False),
}  # fmt: skip
"""In the order they are shown: those that matter first, the customers' beside the AI's."""
LISTED = (("transfer", "repeat_contact", "complaint"), ("ungrounded", "blocked", "failed"))
"""Of the list: customers, then the AI."""
SIDES = {Side.CUSTOMER: N_("What customers get"), Side.AI: N_("What the AI does")}
CUTS = {"release": N_("Release"), "language": N_("Language"), "channel": N_("Channel")}
"""What figures are cut by; `intent` too on the page of one use case."""
