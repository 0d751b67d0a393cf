"""Notices by e-mail: the standard library's SMTP client in a thread, connected to an address that the gate admitted.

TLS with the certificate checked, from the start or by STARTTLS; a server that offers none gets nothing, unless the
receiver says `encryption: none` inside a private network. At the deadline the socket is shut, which ends the thread.
"""

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from handrail.approvals.notice_words import Message
from handrail.backends.egress import Egress, Origin
from handrail.backends.notify.outcome import Outcome, Reference
from handrail.backends.upstream.pool import tls_context
from handrail.policy.notices import Encryption, Receiver

STEP_S = 8.0
"""For each step of the conversation with the server."""
THREADS = 8
TRIED = 3
"""Addresses of a mail server that are tried, at most."""


class Smtp(smtplib.SMTP):
    """Speaks to the first of `addresses` that answers; `host` stands in the certificate. `opened` gets the socket as
    soon as there is one."""

    def __init__(
        self,
        host: str,
        addresses: Sequence[str],
        port: int,
        opened: Callable[[socket.socket], None],
        tls: ssl.SSLContext | None,
    ) -> None:
        self._addresses, self._opened, self._tls = addresses, opened, tls
        super().__init__(host, port, timeout=STEP_S)

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:  # the hook that smtplib's own SMTP_SSL uses
        made = _connected(self._addresses, port, timeout)
        self._opened(made)
        return made if self._tls is None else self._tls.wrap_socket(made, server_hostname=host)


def _connected(addresses: Sequence[str], port: int, timeout: float) -> socket.socket:
    """All tries together take at most `timeout` seconds. Raises OSError, of the last one."""
    for at, address in enumerate(addresses, 1):
        try:
            made = socket.create_connection((address, port), timeout / len(addresses))
        except OSError:
            if at == len(addresses):
                raise
        else:
            made.settimeout(timeout)
            return made
    raise OSError("no address")


class MailSender:
    """`backends.notify.outcome.Sender` for `email`."""

    def __init__(self, *, egress: Egress, reference: Reference) -> None:
        self._egress = egress
        self._reference = reference
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="handrail-mail")

    async def send(self, receiver: Receiver, message: Message) -> Outcome:
        origin = mail_origin(receiver)
        addresses = await self._egress.addresses(origin, private_network=receiver.private_network)
        password = ""
        if receiver.user:
            password = self._reference(f"receiver {receiver.id}", receiver.secret_env, receiver.secret_file)
        tls = None if receiver.encryption is Encryption.NONE else tls_context(receiver.ca_file or None, receiver.id)
        if tls is not None:
            tls.set_alpn_protocols([])
        sockets: list[socket.socket] = []

        def deliver() -> Outcome:
            return _deliver(receiver, letter(receiver, message), addresses[:TRIED], password, tls, sockets.append)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, deliver)
        finally:
            for each in sockets:
                _shut(each)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def mail_origin(receiver: Receiver) -> Origin:
    """As the gate knows it: `smtps` is encrypted, from the start or by STARTTLS."""
    return Origin(
        "smtp" if receiver.encryption is Encryption.NONE else "smtps", receiver.hosts[0].lower(), receiver.port
    )


def letter(receiver: Receiver, message: Message) -> EmailMessage:
    """Its Message-ID is the notice's id, the same at every try."""
    made = EmailMessage()
    made["From"] = receiver.sender
    made["To"] = ", ".join(_to(receiver, message))
    made["Subject"] = message.subject
    made["Date"] = format_datetime(datetime.fromtimestamp(message.at_ms / 1_000, UTC))
    made["Message-ID"] = f"<{message.id}@{receiver.sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic replies
    made.set_content(message.text + "\n")
    return made


def _to(receiver: Receiver, message: Message) -> tuple[str, ...]:
    """Its own addresses, and before them whose the alert is, where that is an address."""
    owner = (message.to,) if "@" in message.to and message.to not in receiver.to else ()
    return owner + receiver.to


def _deliver(
    receiver: Receiver,
    letter: EmailMessage,
    addresses: Sequence[str],
    password: str,
    tls: ssl.SSLContext | None,
    opened: Callable[[socket.socket], None],
) -> Outcome:
    """One conversation, on a thread."""
    at_once = tls if receiver.encryption is Encryption.TLS else None
    try:
        with Smtp(receiver.hosts[0], addresses, receiver.port, opened, at_once) as server:
            if tls is not None and at_once is None:
                server.starttls(context=tls)
            if receiver.user:
                server.login(receiver.user, password)
            refused = server.send_message(letter)
    except smtplib.SMTPResponseException as error:
        return Outcome(code=f"smtp.{error.smtp_code}", detail=f"the mail server answered {error.smtp_code}")
    except smtplib.SMTPRecipientsRefused as error:
        code = max(row[0] for row in error.recipients.values())
        return Outcome(code=f"smtp.{code}", detail=f"the mail server refused every address with {code}")
    except smtplib.SMTPException as error:
        return Outcome(code="smtp.failed", detail=f"the mail server cannot be used ({type(error).__name__})")
    except ssl.SSLError:
        return Outcome(code="smtp.tls", detail="the mail server's certificate is not trusted; set ca_file")
    except OSError as error:
        return Outcome(code="smtp.unreachable", detail=f"the mail server cannot be reached ({type(error).__name__})")
    if refused:  # some have it; sending again would reach those twice
        return Outcome(detail=f"accepted, but for {len(refused)} of {len(receiver.to)} addresses", partly=True)
    return Outcome(detail="accepted by the mail server")


def _shut(used: socket.socket) -> None:
    try:
        used.shutdown(socket.SHUT_RDWR)
    except OSError:  # closed already
        return
