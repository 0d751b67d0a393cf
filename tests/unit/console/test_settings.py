"""Settings: whether receivers were reached, how old the backup is, and what doctor said."""

import msgspec
import pytest

from handrail.approvals.notices import Notice, NoticeState, Posted
from handrail.console.ports import Advised, Examined, Installed
from handrail.console.views.settings import STALE_MS, Settings, SettingsRead, settings
from handrail.console.words import Languages, Words
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.commitment import RecordedFacts
from handrail.policy.notices import Notices, Receiver, ReceiverKind
from handrail.policy.ruleset import Ruleset
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.ids import Digest, EntryId

NOW_MS = 1_790_000_000_000
INSTALLED = Installed(
    version="1", database="sqlite", address="http://x.example", idle_ms=1_800_000, most_ms=43_200_000, fresh_ms=300_000
)


@pytest.fixture(scope="module")
def words() -> Words:
    return Languages().words(chosen="en-GB", accepts="", zone="UTC", now_ms=NOW_MS)


def posted(state: NoticeState, at_ms: int, code: str = "", tries: int = 1) -> Posted:
    notice = Notice(id=f"n{at_ms}", receiver="desk", event="test", about="a", at_ms=at_ms, due_ms=at_ms)
    return Posted(notice=notice, state=state, code=code, tries=tries)


def shown(words: Words, *all_: Posted, **more: object) -> Settings:
    desk = Receiver(id="desk", kind=ReceiverKind.WEBHOOK, url="https://hooks.example/secret", secret_env="S")
    ruleset = Ruleset(
        organisation="O", time_zone="UTC", currency="EUR", providers={}, use_cases={},
        notices=Notices(receivers={"desk": desk}),
    )  # fmt: skip
    snapshot = Snapshot(epoch=1, ruleset_digest=Digest("d"), ruleset=ruleset, live={}, keys={})
    given = {"published": (), "backups": (), "persons": (), "installed": INSTALLED, "examined": None, **more}
    return settings(SettingsRead(snapshot=snapshot, posted=all_, **given), words)  # type: ignore[arg-type]  # by their names


def test_a_receiver_is_reached_given_up_or_tried_in_vain_by_what_came_last(words: Words) -> None:
    sent, lost = posted(NoticeState.SENT, 10), posted(NoticeState.GIVEN_UP, 20, "refused")
    for all_, state, wrong in (
        ((), "Nothing sent yet", ""), ((sent,), "Reached", ""), ((sent, lost), "Given up", "refused"),
        ((posted(NoticeState.SENT, 30), lost), "Reached", ""),
        ((sent, posted(NoticeState.WAITING, 30, "timeout")), "Tried in vain so far", "timeout"),
        ((sent, posted(NoticeState.WAITING, 30, tries=0)), "Reached", ""),
    ):  # fmt: skip
        row = shown(words, *all_).receivers[0]
        assert (row.state, row.wrong) == (state, wrong)


def test_no_address_of_a_receiver_reaches_the_view(words: Words) -> None:
    assert b"hooks.example" not in msgspec.json.encode(shown(words))


def test_a_backup_is_missing_of_this_week_or_old(words: Words) -> None:
    def backup(at_ms: int) -> RecordedFacts:
        by = Actor(ActorKind.SYSTEM, "operator")
        return RecordedFacts(v=1, salt=b"", id=EntryId("e"), kind="backup.made", at_ms=at_ms, actor=by)

    assert shown(words).backup_tone == "hold"
    assert shown(words, backups=(backup(NOW_MS - STALE_MS),)).backup_tone == "allow"
    assert shown(words, backups=(backup(NOW_MS - STALE_MS - 1),)).backup_tone == "hold"


def test_doctors_advice_is_told_with_its_level_and_a_failed_look_as_one(words: Words) -> None:
    found = Examined(at_ms=1, found=(Advised("broken", "w", "y", "m"), Advised("new-level", "w", "y", "m")))
    assert [one.level for one in shown(words, examined=found).advice] == ["Broken", "new-level"]
    failed = shown(words, examined=Examined(at_ms=1, failed="it took too long"))
    assert (failed.examined_failed, failed.advice) == ("it took too long", ())
    assert shown(words).examined_at is None
