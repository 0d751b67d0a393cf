"""What the name of a tool, or what its server says of it, suggests that it does to the world; pure.

A suggestion may only raise what stands in the home: a name is no proof of harmlessness (`find_and_delete`), and a
server that calls itself read-only is not believed.
"""

import re
from collections.abc import Mapping
from typing import Any

from handrail.terms.action import ActionType

RANK = {
    ActionType.READ: 0,
    ActionType.ASSERT: 1,
    ActionType.WRITE_UNDOABLE: 2,
    ActionType.CONTACT: 3,
    ActionType.WRITE_FINAL: 3,
    ActionType.ADVERSE: 4,
    ActionType.ACCESS: 4,
    ActionType.MONEY: 4,
}
"""How much each type can do; equal ranks are different, not less."""

_MONEY = """refund pay payment payout charge transfer debit credit withdraw purchase buy invoice compensate
    reimburse wire topup tip donate checkout capture"""
_ACCESS = """password passcode credential credentials permission permissions grant revoke role roles token mfa otp
    pin unlock login access impersonate apikey secret"""
_ADVERSE = """suspend terminate block ban deny reject close disconnect collections evict downgrade lock deactivate
    disable"""
_FINAL = """delete remove destroy drop purge erase wipe cancel submit place order book execute run deploy exec eval
    shell kill reset merge publish sign"""
_CONTACT = "send email mail sms notify message call dial post reply forward invite tweet whatsapp fax"
_UNDOABLE = """create update set add edit modify change write insert upsert patch put assign move rename save store
    upload schedule reschedule exchange return enable toggle tag archive restore import sync"""
_DEED = """and or then delete remove destroy purge drop erase wipe exec execute eval run write insert upsert modify
    create send replace overwrite cancel submit pay grant revoke suspend"""
_READING = """get list search find read fetch lookup look check show view query describe count calculate think
    verify"""
_DEEDS = frozenset(_DEED.split())
_READS = frozenset(_READING.split())
_WORDS = {
    ActionType.WRITE_UNDOABLE: _UNDOABLE,
    ActionType.CONTACT: _CONTACT,
    ActionType.WRITE_FINAL: _FINAL,
    ActionType.ADVERSE: _ADVERSE,
    ActionType.ACCESS: _ACCESS,
    ActionType.MONEY: _MONEY,
}
_BY_WORD = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def by_name(name: str) -> ActionType | None:
    """None when no word of it says anything. `get_payment` reads: the first word is what is done, unless a later one
    joins it with `and` or `or`, or can only be a deed (`fetch_delete_user`)."""
    words = [part.lower() for part in _PART.findall(name)]
    if words and words[0] in _READS and not _DEEDS & set(words):
        return ActionType.READ
    known = [_BY_WORD[word] for word in words if word in _BY_WORD]
    return max(known, key=RANK.__getitem__) if known else None


def by_hints(annotations: Mapping[str, Any]) -> ActionType | None:
    """Of an MCP tool's annotations: the worst that they admit; None when they are silent. What writes is destructive
    unless it says otherwise, as the protocol has it."""
    if annotations.get("readOnlyHint") is True:
        return ActionType.READ
    if annotations.get("readOnlyHint") is None and annotations.get("destructiveHint") is None:
        return None
    return ActionType.WRITE_UNDOABLE if annotations.get("destructiveHint") is False else ActionType.WRITE_FINAL


def by_method(method: str) -> ActionType:
    """Of an HTTP method."""
    match method.upper():
        case "GET" | "HEAD" | "OPTIONS":
            return ActionType.READ
        case "DELETE":
            return ActionType.WRITE_FINAL
        case _:
            return ActionType.WRITE_UNDOABLE


def strongest(*suggested: ActionType | None, otherwise: ActionType) -> ActionType:
    """The first of equals; `otherwise` when nothing was suggested."""
    return max((one for one in suggested if one is not None), key=RANK.__getitem__, default=otherwise)
