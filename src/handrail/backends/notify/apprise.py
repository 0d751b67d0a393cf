"""Notices by Apprise (extra `notify`): its plugins know more than a hundred services.

They make their own connections, so they run in a process of their own (`apprise_child`) that may look up and connect to
the receiver's published hosts only, by the same rules as the gate; a redirect is not followed. The process gets neither
our environment nor our memory, and is killed at the deadline.
"""

import asyncio
import os
import sys
from importlib.util import find_spec

import msgspec

from handrail.approvals.notice_words import Message
from handrail.backends.notify.apprise_child import Asked
from handrail.backends.notify.outcome import Outcome, Reference
from handrail.policy.notices import Receiver
from handrail.terms.errors import Code, HandrailError

CHILD = "handrail.backends.notify.apprise_child"


class AppriseSender:
    """`backends.notify.outcome.Sender` for `apprise`."""

    def __init__(self, *, reference: Reference) -> None:
        self._reference = reference

    async def send(self, receiver: Receiver, message: Message) -> Outcome:
        if find_spec("apprise") is None:
            raise HandrailError(
                Code.HOME_INVALID,
                f"receiver {receiver.id} needs the extra notify: make extras, or pip install 'handrail[notify]'",
            )
        asked = Asked(
            url=self._reference(f"receiver {receiver.id}", receiver.url_env, receiver.url_file), title=message.subject,
            body=message.text, hosts=receiver.hosts, private_network=receiver.private_network,
        )  # fmt: skip
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", CHILD, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL, env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        try:
            said, _ = await child.communicate(msgspec.json.encode(asked))
        finally:
            if child.returncode is None:
                child.kill()
        code = word_of(said)
        return Outcome(detail="accepted by Apprise") if code == OK else Outcome(code=code, detail=_WHY[code])

    async def close(self) -> None:
        return None


def word_of(said: bytes) -> str:
    """The last line, if it is one of ours: what a plugin prints is not kept, it may hold the address."""
    last = said.decode(errors="replace").strip().rpartition("\n")[2].strip()
    return last if last == OK or last in _WHY else "apprise.broken"


OK = "ok"
_WHY = {
    "apprise.url": "Apprise does not understand the address; see its documentation for this service",
    "apprise.refused": "the service refused it, or it cannot be reached",
    "apprise.egress": "the plugin wanted to call an address that is none of the receiver's hosts; list it if meant",
    "apprise.broken": "the plugin broke",
}
