"""Ask a handrail server for actions, tell it what happened afterwards, and name conversations to it. Standard library
only.

from handrail_client import Actions, Handrail, action, conversation

rail = Actions("http://127.0.0.1:8080", api_key="hr_...")      # a key with the scope act

@action("shop.refund", via=rail)
def refund(order: str, amount: int) -> dict: "Pay back an order. `amount`: cents."

with conversation("ticket-9", customer="c-17"):
    refund("48213", 4_000)                                      # the receipt, or {"status": "held", ...}

events = Handrail("http://127.0.0.1:8080", api_key="hr_...")    # another key, with the scope events
events.csat(4, conversation="ticket-9")
"""

from handrail_client.actions import Actions, AsyncActions
from handrail_client.asking import Action, NotDone, Status
from handrail_client.client import AsyncHandrail, Handrail
from handrail_client.errors import Refused, Unreachable
from handrail_client.permits import Permit
from handrail_client.talk import Talk, conversation
from handrail_client.tool import ActionNotDone, NoEffect, action

__all__ = [
    "Action",
    "ActionNotDone",
    "Actions",
    "AsyncActions",
    "AsyncHandrail",
    "Handrail",
    "NoEffect",
    "NotDone",
    "Permit",
    "Refused",
    "Status",
    "Talk",
    "Unreachable",
    "action",
    "conversation",
]
