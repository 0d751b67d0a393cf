"""What a permit says, its form, and who may redeem it; pure."""

import base64
import json
from typing import Any

import jwt
import msgspec
import pytest

from handrail.approvals import lifecycle, permit
from handrail.approvals.lifecycle import Issued, Progress, State
from handrail.approvals.permit import MAX_LIFE_MS, Header, Permit, PermitKey, arguments_digest
from handrail.terms.action import Action, ActionId, Door, ToolId, digest_of
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, UseCaseId

KEY = PermitKey(bytes(range(32)))
NOW = 1_000_000
ARGUMENTS = {"order": "A-1", "text": "call back"}


def request(**changes: Any) -> Action:
    values = {
        "id": ActionId("ac_1"), "use_case": UseCaseId("orders"), "tool": ToolId("till.note"), "arguments": ARGUMENTS,
        "salt": b"s" * 16, "door": Door.PERMIT, "key": "k1",
    }  # fmt: skip
    return Action(**{**values, **changes})


def approved(report_ms: int = 60_000) -> Progress:
    asked = request()
    return lifecycle.allowed(asked.id, digest_of(asked), now=NOW, execute_within_ms=30_000, report_within_ms=report_ms)


def issued(**changes: Any) -> Issued:
    values = {"id": "pm_1", "key": "k1", "audience": "till", "at": NOW, "until": NOW + 30_000}
    return Issued(**{**values, **changes})


def given() -> tuple[Progress, Permit]:
    progress = permit.issue(approved(), issued(), now=NOW)
    assert progress.permit is not None
    return progress, permit.permit_of(progress.permit, progress, request())


def redeemed(progress: Progress, shown: Permit, now: int = NOW + 1, **changes: Any) -> Progress:
    asked = {"key": "k1", "audience": "till", "arguments": ARGUMENTS, **changes}
    return permit.redeem(progress, request(), shown, now=now, **asked)


def refused(*args: Any, **changes: Any) -> Code:
    with pytest.raises(HandrailError) as error:
        redeemed(*args, **changes)
    return error.value.code


@pytest.mark.promise("PRM-2")
def test_a_permit_is_a_jws_that_a_common_library_checks_with_the_published_key() -> None:
    _, shown = given()
    token = KEY.token(shown)
    public = jwt.PyJWK(KEY.jwk)
    read = jwt.decode(
        token, public, algorithms=["EdDSA"], audience="till", issuer="handrail",
        options={"verify_exp": False, "verify_iat": False},
    )  # fmt: skip
    assert read["sub"] == "ac_1"
    assert read["args"] == arguments_digest("pm_1", {"text": "call back", "order": "A-1"})
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "handrail-permit+jwt", "kid": KEY.kid}
    assert read["exp"] - read["iat"] <= 30
    assert "A-1" not in token
    assert "A-1" not in json.dumps(read)


def test_a_permit_that_we_made_is_read_back_and_verified() -> None:
    _, shown = given()
    read = permit.read(KEY.token(shown))
    assert read.permit == shown
    assert KEY.verifies(read)
    assert not PermitKey(bytes(32)).verifies(read)


@pytest.mark.promise("PRM-2")
def test_every_change_of_one_character_of_a_token_is_noticed() -> None:
    _, shown = given()
    token = KEY.token(shown)
    for at, letter in enumerate(token):
        assert not good(token[:at] + ("A" if letter != "A" else "B") + token[at + 1 :]), at
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".replace(token[-1], ""):
        assert not good(token[:-1] + letter)  # bits that mean nothing must not be another spelling
    assert good(token)


def good(token: str) -> bool:
    """Whether it is of our form and signed by our key."""
    try:
        return KEY.verifies(permit.read(token))
    except HandrailError:
        return False


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


@pytest.mark.promise("PRM-2")
@pytest.mark.parametrize(
    "head",
    [
        {"alg": "none", "typ": permit.TYPE, "kid": KEY.kid},
        {"alg": "HS256", "typ": permit.TYPE, "kid": KEY.kid},
        {"alg": "EdDSA", "typ": "JWT", "kid": KEY.kid},
        {"alg": "EdDSA", "typ": permit.TYPE, "kid": KEY.kid, "jwk": {}},
        {"alg": "EdDSA", "typ": permit.TYPE},
    ],
)
def test_no_other_algorithm_type_or_header_is_taken(head: Any) -> None:
    _, shown = given()
    _, claims, signature = KEY.token(shown).split(".")
    for end in (signature, ""):
        with pytest.raises(HandrailError) as error:
            permit.read(f"{part(head)}.{claims}.{end}")
        assert error.value.code is Code.PERMIT_INVALID


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c.d", "..", "é.é.é", "x" * 5_000, "e30.e30.e30", "e30=.e30.AA"])
def test_what_is_no_token_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(HandrailError) as error:
        permit.read(text)
    assert error.value.code is Code.PERMIT_INVALID


def test_a_claim_too_many_is_refused() -> None:
    _, shown = given()
    head = part(Header(alg="EdDSA", typ=permit.TYPE, kid=KEY.kid))
    with pytest.raises(HandrailError):
        permit.read(f"{head}.{part({**msgspec.to_builtins(shown), 'admin': True})}.AA")


@pytest.mark.promise("PRM-1")
def test_only_the_whole_truth_redeems_even_under_a_good_signature() -> None:
    progress, shown = given()
    assert redeemed(progress, shown).state is State.CLAIMED
    values = msgspec.to_builtins(shown)
    for name, value in values.items():
        other = value + 1 if isinstance(value, int) else value + "x"
        forged = msgspec.convert({**values, name: other}, Permit)
        assert refused(progress, forged) is Code.PERMIT_INVALID, name
    assert refused(progress, shown, key="k2") is Code.PERMIT_INVALID
    assert refused(progress, shown, audience="other") is Code.PERMIT_INVALID
    assert refused(progress, shown, arguments={**ARGUMENTS, "order": "A-2"}) is Code.PERMIT_INVALID
    assert refused(progress, shown, arguments={}) is Code.PERMIT_INVALID
    assert refused(approved(), shown) is Code.PERMIT_INVALID


@pytest.mark.promise("PRM-1")
def test_a_permit_is_redeemed_once_and_never_at_its_end() -> None:
    progress, shown = given()
    assert redeemed(progress, shown, now=NOW + 29_999).state is State.CLAIMED
    assert refused(progress, shown, now=NOW + 30_000) is Code.PERMIT_INVALID
    claimed = redeemed(progress, shown)
    assert claimed.lease_until == NOW + 1 + 60_000
    assert refused(claimed, shown) is Code.ALREADY_DECIDED


@pytest.mark.promise("PRM-1")
def test_a_newer_permit_voids_the_one_before() -> None:
    progress, shown = given()
    newer = permit.issue(progress, issued(id="pm_2", at=NOW + 5, until=NOW + 30_000), now=NOW + 5)
    assert refused(newer, shown) is Code.PERMIT_INVALID


@pytest.mark.promise("PRM-1")
@pytest.mark.parametrize("end", [lifecycle.revoke, lifecycle.cancel, lifecycle.unreachable])
def test_what_ended_before_is_not_redeemed(end: Any) -> None:
    progress, shown = given()
    assert refused(end(progress), shown) is Code.ALREADY_DECIDED


def test_no_permit_lives_longer_than_30_s_or_than_the_time_to_execute() -> None:
    for until in (NOW + MAX_LIFE_MS + 1, NOW):
        with pytest.raises(ValueError, match="30 s"):
            permit.issue(approved(), issued(until=until), now=NOW)
    short = msgspec.structs.replace(approved(), execute_by=NOW + 10)
    with pytest.raises(ValueError, match="30 s"):
        permit.issue(short, issued(until=NOW + 11), now=NOW)


def test_what_handrail_executes_gets_no_permit_and_what_its_caller_executes_no_other_claim() -> None:
    with pytest.raises(HandrailError):
        permit.issue(approved(report_ms=0), issued(), now=NOW)
    progress, shown = given()
    with pytest.raises(HandrailError) as error:
        lifecycle.claim(progress, "p1", progress.digest, now=NOW, lease_ms=1)
    assert error.value.code is Code.NOT_ALLOWED
    claimed = redeemed(progress, shown)
    with pytest.raises(HandrailError) as error:
        lifecycle.take_over(claimed, "p2", now=NOW + 10_000_000, lease_ms=1)
    assert error.value.code is Code.NOT_ALLOWED


@pytest.mark.promise("PRM-3")
def test_a_report_is_taken_once_also_late_but_not_after_a_person_settled_it() -> None:
    progress, shown = given()
    with pytest.raises(HandrailError):
        permit.report(progress, State.DONE, now=NOW)
    claimed = redeemed(progress, shown)
    done = permit.report(claimed, State.DONE, now=NOW + 5)
    assert (done.state, done.ended_at) == (State.DONE, NOW + 5)
    with pytest.raises(HandrailError):
        permit.report(done, State.FAILED, now=NOW + 6)
    with pytest.raises(HandrailError):
        permit.overdue(claimed, now=claimed.lease_until - 1)
    unknown = permit.overdue(claimed, now=claimed.lease_until)
    assert unknown.state is State.UNKNOWN
    assert permit.report(unknown, State.FAILED, now=NOW + 90_000).state is State.FAILED
    settled = lifecycle.settle(unknown, State.DONE, lifecycle.PersonId("pe_a"), now=NOW + 90_000)
    with pytest.raises(HandrailError):
        permit.report(settled, State.FAILED, now=NOW + 90_001)


def test_the_digest_is_of_the_action_that_was_approved() -> None:
    progress, shown = given()
    assert shown.dig == digest_of(request()) == progress.digest
    assert shown.dig != Digest("")
