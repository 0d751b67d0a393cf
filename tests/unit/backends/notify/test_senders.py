"""Each sender against a real receiver on loopback: what arrives, what is said when it does not, what never leaves."""

import asyncio
import json
import socket
import threading
import time
from email import message_from_bytes, policy
from typing import Any

import msgspec
import pytest
from receivers import Certificate, certificate, http_receiver, mail_receiver, silent_port, wait_for
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from handrail.approvals.notice_words import Message
from handrail.backends.egress import Egress, parse_url, system_resolve
from handrail.backends.notify import http, mail, send
from handrail.backends.notify.apprise import word_of
from handrail.backends.notify.apprise_child import Asked, Fence
from handrail.backends.notify.outcome import Outcome, retry_after
from handrail.backends.notify.send import Senders, receiver_origins
from handrail.backends.notify.signing import key_of
from handrail.policy.notices import Encryption, Notices, Receiver, ReceiverKind
from handrail.terms.errors import HandrailError

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "YmFzZTY0IG9mIHR3ZW50eS1mb3VyIGJ5dGVz"
MESSAGE = Message(
    id="nt_01KTESTTESTTESTTESTTESTTES", at_ms=1_795_000_000_000, subject="An action waits for a decision",
    text="Use case: orders\nAction: ac_1", body=b'{"type":"action.held","data":{"action_id":"ac_1"}}',
)  # fmt: skip


def receiver(kind: ReceiverKind, **changes: Any) -> Receiver:
    return Receiver(**{"id": "leads", "kind": kind, "private_network": True, **changes})


def deliver(
    to: Receiver,
    *,
    values: dict[str, str] | None = None,
    published: bool = True,
    deadline_s: float = 15.0,
    message: Message = MESSAGE,
) -> Outcome:
    """One try. `values`: what stands under each reference."""

    def reference(who: str, variable: str, file: str) -> str:
        return (values or {})[variable or file]

    origins = receiver_origins(Notices(receivers={to.id: to})) if published else frozenset()

    async def run() -> Outcome:
        egress = Egress(resolve=system_resolve, published=lambda: origins, monotonic=time.monotonic)
        senders = Senders(
            egress=egress, reference=reference, now_ms=lambda: int(time.time() * 1_000), deadline_s=deadline_s
        )
        try:
            return await senders.send(to, message)
        finally:
            await senders.close()

    return asyncio.run(run())


def webhook(url: str, **changes: Any) -> Receiver:
    return receiver(ReceiverKind.WEBHOOK, **{"url": url, "secret_env": "SECRET", **changes})


@pytest.mark.promise("NOT-6")
def test_a_signed_webhook_is_verified_by_the_specifications_own_library() -> None:
    with http_receiver() as hook:
        outcome = deliver(webhook(f"{hook.url}/hooks/h"), values={"SECRET": f"{SECRET} {OTHER}"})
    assert outcome == Outcome(detail="answered 200")
    (got,) = hook.got
    assert got.path == "/hooks/h"
    assert got.headers["webhook-id"] == MESSAGE.id
    assert got.headers["content-type"] == "application/json"
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(got.body, got.headers) == json.loads(MESSAGE.body)
    for changed in ({**got.headers, "webhook-id": "other"}, {**got.headers, "webhook-signature": "v1,AAAA"}):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(got.body, changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(got.body + b" ", got.headers)


@pytest.mark.parametrize("wrong", ["whsec_", "whsec_c2hvcnQ=", SECRET.removeprefix("whsec_"), "whsec_not base64!"])
def test_a_secret_of_another_form_signs_nothing_and_is_not_repeated(wrong: str) -> None:
    with pytest.raises(HandrailError) as error:
        key_of(wrong)
    assert wrong not in error.value.message or wrong == "whsec_"
    with http_receiver() as hook:
        assert deliver(webhook(hook.url), values={"SECRET": wrong or "x"}).code == "home.invalid"
    assert hook.got == []


def test_a_chat_gets_its_text_as_json_with_its_signs_escaped() -> None:
    odd = Message(id="nt_1", at_ms=0, subject="A & B", text="<!channel>", body=b"{}")
    request = http.HttpSender(egress=None, reference=lambda *_: "", now_ms=lambda: 0)._request(  # type: ignore[arg-type]
        receiver(ReceiverKind.CHAT, url="http://127.0.0.1:1"),
        None,
        "/",
        odd,  # type: ignore[arg-type]
    )
    assert json.loads(request.body) == {"text": "*A &amp; B*\n&lt;!channel&gt;"}
    with http_receiver() as hook:
        to = receiver(ReceiverKind.CHAT, url_env="CHAT", hosts=(f"127.0.0.1:{hook.port}",))
        outcome = deliver(to, values={"CHAT": f"{hook.url}/services/T0/B0/secret?sig=1"})
    assert outcome.code == ""
    assert hook.got[0].path == "/services/T0/B0/secret?sig=1"
    assert json.loads(hook.got[0].body) == {"text": f"*{MESSAGE.subject}*\n{MESSAGE.text}"}


def test_an_address_is_called_with_the_path_that_stands_there() -> None:
    with http_receiver() as hook:
        assert deliver(webhook(f"{hook.url}/hook/"), values={"SECRET": SECRET}).code == ""
        to = receiver(ReceiverKind.CHAT, url_env="CHAT", hosts=(f"LOCALHOST:{hook.port}",))
        assert deliver(to, values={"CHAT": f"http://localhost:{hook.port}/in/?a=1"}).code == ""
    assert [got.path for got in hook.got] == ["/hook/", "/in/?a=1"]


def test_an_ipv6_host_stands_in_brackets_and_silences_no_other_receiver() -> None:
    six = receiver(ReceiverKind.CHAT, url_env="CHAT", hosts=("[::1]:8443", "[::1]"))
    published = receiver_origins(Notices(receivers={six.id: six}))
    assert {(origin.host, origin.port) for origin in published} == {("::1", 8443), ("::1", 443), ("::1", 80)}
    for url, fine in (("https://[::1]:8443/x", True), ("https://[::1]/x", True), ("https://[::1]:8444/x", False)):
        assert http.leads_to(parse_url(url)[0], six.hosts) is fine
    fence = Fence(Asked(url="", title="", body="", hosts=six.hosts, private_network=True))
    fence("socket.connect", (None, ("::1", 8443, 0, 0)))
    with pytest.raises(PermissionError):
        fence("socket.connect", (None, ("::1", 25, 0, 0)))


@pytest.mark.promise("NOT-7")
def test_a_secret_address_leads_only_where_its_hosts_say_and_is_never_repeated() -> None:
    with http_receiver() as hook:
        to = receiver(ReceiverKind.CHAT, url_env="CHAT", hosts=("127.0.0.1:9",))
        outcome = deliver(to, values={"CHAT": f"{hook.url}/secret-part"})
        assert outcome.code == "egress.denied"
        assert "leads to none of its hosts" in outcome.detail
        assert "secret-part" not in outcome.detail
    assert hook.got == []


@pytest.mark.promise("NOT-7")
@pytest.mark.parametrize(
    ("changes", "published", "says"),
    [
        ({"private_network": False}, True, "without TLS"),
        ({}, False, "not published"),
        ({"url": "http://169.254.169.254/latest"}, True, "never called"),
        ({"url": "https://127.0.0.1:9/x", "private_network": False}, True, "private"),
        ({"url": "http://[fe80::1]/x"}, True, "never called"),
    ],
)
def test_what_the_gate_does_not_admit_is_never_called(changes: dict[str, Any], published: bool, says: str) -> None:
    with http_receiver() as hook:
        outcome = deliver(webhook(**{"url": hook.url, **changes}), values={"SECRET": SECRET}, published=published)
    assert outcome.code == "egress.denied"
    assert says in outcome.detail
    assert hook.got == []


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (204, {}, Outcome(detail="answered 204")),
        (500, {}, Outcome(code="http.500", detail="answered 500")),
        (404, {}, Outcome(code="http.404", detail="answered 404")),
        (410, {}, Outcome(code="http.410", detail="answered 410", final=True)),
        (429, {"retry-after": "7"}, Outcome(code="http.429", detail="answered 429", retry_after_s=7.0)),
        (503, {"retry-after": "soon"}, Outcome(code="http.503", detail="answered 503")),
    ],
)
def test_what_a_receiver_answers_is_told(status: int, headers: dict[str, str], expected: Outcome) -> None:
    with http_receiver() as hook:
        hook.status, hook.headers = status, headers
        assert deliver(webhook(hook.url), values={"SECRET": SECRET}) == expected


@pytest.mark.promise("NOT-7")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    with http_receiver() as hook, http_receiver() as other:
        hook.status, hook.headers = status, {"location": f"{other.url}/elsewhere"}
        assert deliver(webhook(hook.url), values={"SECRET": SECRET}).code == "http.redirect"
    assert len(hook.got) == 1
    assert other.got == []


def test_a_receiver_that_hangs_or_is_down_ends_at_the_deadline() -> None:
    with http_receiver() as hook:
        hook.hangs.set()
        began = time.monotonic()
        assert deliver(webhook(hook.url), values={"SECRET": SECRET}, deadline_s=0.4).code == "timeout"
        assert time.monotonic() - began < 5
        port = hook.port
    down = deliver(webhook(f"http://127.0.0.1:{port}"), values={"SECRET": SECRET})
    assert down.code == "upstream.unreachable"


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), (" 0 ", 0.0), ("-1", None), ("x", None), ("٣", None)])
def test_retry_after_is_seconds(value: str, seconds: float | None) -> None:
    assert retry_after(value, 0) == seconds


def test_retry_after_is_a_date_too_and_never_negative() -> None:
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 30_000) == 30.0
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 90_000) == 0.0


def mailbox(port: int, **changes: Any) -> Receiver:
    values = {
        "hosts": ("127.0.0.1",), "port": port, "sender": "handrail@shop.example",
        "to": ("leads@shop.example", "desk@shop.example"),
    }  # fmt: skip
    return receiver(ReceiverKind.EMAIL, **{**values, **changes})


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("pem"))


@pytest.mark.promise("NOT-6")
def test_a_letter_arrives_encrypted_with_password_and_one_message_id(pem: Certificate) -> None:
    with mail_receiver(pem, "pass word") as (server, port):
        to = mailbox(port, ca_file=str(pem.chain), user="handrail", secret_env="PASSWORD")
        for _ in range(2):
            assert deliver(to, values={"PASSWORD": "pass word"}).code == ""
        wrong = deliver(to, values={"PASSWORD": "wrong"})
    assert wrong.code == "smtp.535"
    assert server.encrypted == [True, True]
    assert set(server.recipients) == set(to.to)
    first, second = (message_from_bytes(letter, policy=policy.default) for letter in server.letters)
    assert first["Message-ID"] == second["Message-ID"] == f"<{MESSAGE.id}@shop.example>"
    assert first["Subject"] == MESSAGE.subject
    assert first["Auto-Submitted"] == "auto-generated"
    assert first.get_content().splitlines() == MESSAGE.text.splitlines()


@pytest.mark.promise("NOT-7")
def test_a_mail_server_that_cannot_encrypt_or_is_not_trusted_gets_nothing(pem: Certificate) -> None:
    with mail_receiver(None) as (server, port):
        assert deliver(mailbox(port)).code == "smtp.failed"
        assert server.letters == []
        assert deliver(mailbox(port, encryption=Encryption.NONE)).code == ""
        assert len(server.letters) == 1
    with mail_receiver(pem) as (server, port):
        assert deliver(mailbox(port)).code == "smtp.tls"
        assert deliver(mailbox(port, private_network=False)).code == "egress.denied"
        assert server.letters == []


def test_a_mail_server_whose_first_address_does_not_answer_is_reached_at_its_next() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with mail._connected(("127.0.0.2", "127.0.0.1"), port, 2.0) as made:
            assert made.getpeername() == ("127.0.0.1", port)
            assert made.gettimeout() == 2.0
        with pytest.raises(ConnectionRefusedError):
            mail._connected(("127.0.0.2", "127.0.0.3"), port, 2.0)


def test_a_mail_server_that_refuses_is_told_by_its_code(pem: Certificate) -> None:
    with mail_receiver(pem) as (server, port):
        server.answer = "451 later"
        assert deliver(mailbox(port, ca_file=str(pem.chain))).code == "smtp.451"


def test_a_letter_that_some_addresses_did_not_get_says_so_and_one_that_nobody_got_was_not_sent(
    pem: Certificate,
) -> None:
    with mail_receiver(pem) as (server, port):
        to = mailbox(port, ca_file=str(pem.chain))
        server.unknown = ("desk@shop.example",)
        some = deliver(to)
        assert (some.code, some.partly, some.detail) == ("", True, "accepted, but for 1 of 2 addresses")
        server.unknown = to.to
        assert deliver(to).code == "smtp.550"
    assert len(server.letters) == 1


def test_a_mail_server_that_hangs_ends_at_the_deadline_with_its_thread(pem: Certificate) -> None:
    with silent_port() as port:
        began = time.monotonic()
        assert deliver(mailbox(port), deadline_s=0.4).code == "timeout"
        assert time.monotonic() - began < 5
        threads = [each for each in threading.enumerate() if each.name.startswith("handrail-mail")]
        wait_for(lambda: not any(each.is_alive() for each in threads), 3)  # sooner than a step of the protocol
    assert deliver(mailbox(port)).code == "smtp.unreachable"


def apprise(url: str, hosts: tuple[str, ...], private: bool = True) -> Outcome:
    to = receiver(ReceiverKind.APPRISE, url_env="URL", hosts=hosts, private_network=private)
    return deliver(to, values={"URL": url}, deadline_s=60)


@pytest.mark.promise("NOT-6")
def test_apprise_delivers_to_a_listed_host() -> None:
    with http_receiver() as hook:
        at = f"127.0.0.1:{hook.port}"
        assert apprise(f"json://{at}/notify", (at,)).code == ""
    told = json.loads(hook.got[0].body)
    assert (told["title"], told["message"]) == (MESSAGE.subject, MESSAGE.text)


@pytest.mark.promise("NOT-7")
def test_an_apprise_plugin_reaches_no_other_host_no_private_one_unlisted_and_follows_no_redirect() -> None:
    with http_receiver() as hook, http_receiver() as other:
        at, there = f"127.0.0.1:{hook.port}", f"127.0.0.1:{other.port}"
        assert apprise(f"json://{there}/", (at,)).code == "apprise.egress"
        assert apprise(f"json://localhost:{hook.port}/", (at,)).code == "apprise.egress"
        assert apprise(f"json://{at}/", (at,), False).code == "apprise.egress"
        hook.status, hook.headers = 307, {"location": f"http://{at}/again"}
        assert apprise(f"json://{at}/?redirect=yes", (at,)).code == "apprise.refused"
        assert apprise("nonsense", (at,)).code == "apprise.url"
    assert other.got == []
    assert [got.path for got in hook.got] == ["/"]


@pytest.mark.promise("NOT-7")
@pytest.mark.parametrize(
    ("said", "word"),
    [
        (b"ok\n", "ok"),
        (b"loaded\nok\n", "ok"),
        (b"calling https://hooks/secret\napprise.refused\n", "apprise.refused"),
        (b"Traceback of https://hooks/secret\n", "apprise.broken"),
        (b"\xff", "apprise.broken"),
        (b"", "apprise.broken"),
    ],
)
def test_what_a_plugin_prints_is_neither_kept_nor_taken_for_its_word(said: bytes, word: str) -> None:
    assert word_of(said) == word


def test_the_deadline_is_shorter_than_the_lease() -> None:
    from handrail.app.notify import LEASE_MS

    assert send.DEADLINE_S * 1_000 < LEASE_MS
    assert mail.STEP_S <= send.DEADLINE_S


ALERT = Message(
    id="nt_01KTESTTESTTESTTESTTESTTES", at_ms=1_795_000_000_123, subject="An alert of the watch",
    text="What: worse than its past\nAlert: al_1", body=b'{"type":"alert.raised","data":{"alert_id":"al_1"}}',
    about="al_1", cause="drift/orders/failed", severity="critical", to="olga@shop.example",
)  # fmt: skip


@pytest.mark.promise("WAT-10")
def test_a_pager_gets_an_event_of_version_2_with_the_cause_as_its_key() -> None:
    with http_receiver() as hook:
        to = receiver(ReceiverKind.PAGER, url=f"{hook.url}/v2/enqueue", secret_env="KEY")
        outcome = deliver(to, values={"KEY": "R0UT1NGKEY\n"}, message=ALERT)
        plain = deliver(to, values={"KEY": "R0UT1NGKEY"})
    assert (outcome.code, plain.code) == ("", "")
    sent, held = (json.loads(got.body) for got in hook.got)
    assert hook.got[0].path == "/v2/enqueue"
    assert hook.got[0].headers["content-type"] == "application/json"
    assert sent == {
        "routing_key": "R0UT1NGKEY",
        "event_action": "trigger",
        "dedup_key": "drift/orders/failed",
        "client": "handrail",
        "payload": {
            "summary": "An alert of the watch: What: worse than its past; Alert: al_1",
            "source": "handrail",
            "severity": "critical",
            "timestamp": "2026-11-18T11:06:40.123+0000",
            "class": "drift/orders/failed",
            "custom_details": {"type": "alert.raised", "data": {"alert_id": "al_1"}},
        },
    }
    assert (held["payload"]["severity"], held["dedup_key"]) == ("warning", MESSAGE.id)


def test_a_pager_takes_no_more_than_it_may() -> None:
    event = json.loads(http.paged("k", msgspec.structs.replace(ALERT, text="x" * 5_000, cause="y" * 500)))
    assert len(event["payload"]["summary"]) == 1_024
    assert len(event["dedup_key"]) == 255


@pytest.mark.promise("WAT-10")
def test_mail_of_an_alert_goes_to_its_owner_first_and_other_mail_to_nobody_else() -> None:
    to = receiver(ReceiverKind.EMAIL, sender="handrail@shop.example", to=("desk@shop.example",))
    assert mail.letter(to, ALERT)["To"] == "olga@shop.example, desk@shop.example"
    assert mail.letter(to, MESSAGE)["To"] == "desk@shop.example"
    number = msgspec.structs.replace(ALERT, to="+49 30 1234")
    assert mail.letter(to, number)["To"] == "desk@shop.example"
