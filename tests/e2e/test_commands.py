"""Every command as a person types it: what it does, its main mistakes, its exit codes. No traceback, ever
(`House.run` looks at each)."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from house import HANDRAIL, House, post, scripted_model


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with scripted_model() as url:
        yield url


ACCEPTED = """
accepted_failures:
  - {metric: complaint_rate, limit: 0.02}
  - {metric: low_csat_rate, limit: 0.1}
  - {metric: blocked_rate, limit: 0.5}
"""


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory, model: str) -> tuple[House, str, str]:
    """A published home with two recorded interactions, a complaint about the first, and a flag that found nothing; the
    key and the first interaction. Tests only read it."""
    house = House(tmp_path_factory.mktemp("settled") / "home", model=model)
    house.use_case(more=ACCEPTED)
    house.publish()
    key, reporter = house.key(), house.key("--scope", "events")
    with house.serving() as server:
        first = server.ask(key, "My card is 4111 1111 1111 1111", user="ada")[2]["x-handrail-interaction"]
        server.ask(key, "Where is my order?")
        events = [
            {"id": "1", "source": "crm", "type": "complaint", "interaction": first},
            {"id": "2", "source": "crm", "type": "flag", "conversation": "never-seen"},
        ]
        status, taken, _ = post(f"{server.url.removesuffix('/v1')}/api/v1/events", reporter, events)
        assert status == 202, taken
    return house, key, first


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "home")


# --- the home ---------------------------------------------------------------------------------------------------------


def test_init_check_publish_from_nothing(tmp_path: Path, house: House) -> None:
    fresh = str(tmp_path / "fresh")
    assert "next: handrail check" in house.said("init", fresh)
    assert "no mistakes" in house.said("check", fresh)
    assert "is in force" in house.said("publish", fresh)
    assert "nothing changed" in house.said("publish", fresh)
    assert "is a home already" in house.said("init", fresh, code=1)


def test_init_in_the_place_of_a_file_is_refused(tmp_path: Path, house: House) -> None:
    (tmp_path / "file").write_text("x")
    house.run("init", str(tmp_path / "file"), code=2)
    house.run("init", str(tmp_path / "file" / "below"), code=1)


def test_check_says_in_a_note_that_the_built_in_disclosure_is_used(house: House) -> None:
    said = house.said("check", str(house.root))
    assert "note: use-cases/orders.yaml:1:1: no disclosure is written" in said
    assert "no mistakes" in said


def test_check_and_publish_say_each_mistake_with_its_place_and_change_nothing(house: House) -> None:
    house.publish()
    before = house.said("key", "list")
    house.use_case(mode="enforced")
    said = house.said("check", str(house.root), code=1)
    assert re.search(r"use-cases/orders\.yaml:\d+:\d+", said)
    assert "enforce" in said
    said = house.said("publish", str(house.root), code=1)
    assert "what was in force stays in force" in said
    assert house.said("key", "list") == before


@pytest.mark.parametrize("name", ["handrail", "use-case"])
def test_schema_is_json_schema(house: House, name: str) -> None:
    schema = json.loads(house.run("schema", name).stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")


def test_schema_of_anything_else_is_wrong_words(house: House) -> None:
    house.run("schema", "people", code=2)


# --- people and keys --------------------------------------------------------------------------------------------------


def shown(said: str) -> str:
    """What stands behind the first `: ` of the first line."""
    return said.split(": ", 1)[1].splitlines()[0].strip()


@pytest.mark.promise("OPS-6")
def test_persons_from_the_first_to_a_revoked_token(house: House) -> None:
    assert "no persons yet" in house.said("person", "list")
    code = shown(house.said("person", "first"))
    assert "give --mail and --name" in house.said("person", "redeem", code, code=1)
    assert "give --mail and --name" in house.said("person", "redeem", code, "--mail", "ada@house.example", code=1)
    ada = shown(house.said("person", "redeem", code, "--mail", "ada@house.example", "--name", "Ada"))
    house.run("person", "redeem", code, "--mail", "eve@house.example", "--name", "Eve", code=1)
    house.run("person", "first", code=1)
    assert "personal token" in house.said("publish", str(house.root), code=1)
    house.run("publish", str(house.root), "--token", ada)
    said = house.said(
        "person", "add", "--mail", "ben@house.example", "--name", "Ben", "--role", "auditor", "--token", ada
    )
    ben_id = said.split()[0]
    assert f"handrail person redeem {shown(said)}" in said
    ben = shown(house.said("person", "redeem", shown(said)))
    assert "roles do not allow" in house.said("publish", str(house.root), "--token", ben, code=1)
    assert "engineer" in house.said("person", "change", ben_id, "--role", "engineer", "--token", ada)
    house.use_case(mode="observe")
    house.run("publish", str(house.root), "--token", ben)
    invited = shown(house.said("person", "invite", ben_id, "--token", ada))
    house.run("publish", str(house.root), "--token", ben, code=1)
    ben = shown(house.said("person", "redeem", invited))
    renewed = shown(house.said("person", "renew", "--token", ben))
    house.run("person", "revoke", renewed.split("_")[1], "--token", renewed)
    assert "revoked" in house.said("publish", str(house.root), "--token", renewed, code=1)
    house.run("person", "change", ben_id, "--disable", "--token", ada)
    assert "(disabled)" in house.said("person", "list")


@pytest.mark.parametrize(
    "command",
    [
        ["person", "redeem", "nonsense"],
        ["person", "change", "pe_nobody"],
        ["person", "invite", "pe_nobody"],
        ["person", "revoke", "nobody", "--token", "hp_x_y"],
        ["person", "renew", "--token", "nonsense"],
        ["person", "list", "--home", "nowhere"],
        ["key", "rotate", "nobody"],
        ["key", "revoke", "nobody"],
        ["key", "create", "--use-case", "nothing"],
        ["key", "create"],
        ["key", "create", "--use-case", "orders", "--token", "nonsense"],
    ],
    ids=" ".join,
)
def test_names_of_nobody_are_told_in_one_sentence(house: House, command: list[str]) -> None:
    house.publish()
    said = house.said(*command, code=1)
    assert len(said.strip().splitlines()) <= 4
    assert said.startswith("handrail: ")


def test_wrong_words_about_people_and_keys(house: House) -> None:
    for command in (
        ["person", "add", "--mail", "x@house.example"],
        ["person", "add", "--mail", "x@house.example", "--name", "X", "--role", "king"],
        ["key", "create", "--use-case", "orders", "--scope", "everything"],
        ["key", "create", "--use-case", "orders", "--days", "soon"],
        ["key", "create", "--use-case", "orders", "--days", "-1"],
        ["key", "create", "--use-case", "orders", "--days", "99999999999999"],
        ["key", "rotate", "x", "--grace-hours", "-1"],
        ["key", "rotate"],
        ["serve", "--workers", "0"],
        ["serve", "--port", "70000"],
    ):
        house.run(*command, code=2)


def test_keys_from_created_to_revoked(house: House) -> None:
    assert "no keys yet" in house.said("key", "list")
    house.publish()
    key = house.key("--agent", "web", "--days", "30")
    assert key.startswith("hr_")
    id_ = key.split("_")[1]
    assert f"{id_}  orders  chat  web  good until" in house.said("key", "list")
    done = house.run("key", "rotate", id_, "--grace-hours", "1")
    new = done.stdout.strip()
    assert new != key
    assert "good until 20" in done.stderr
    soon = re.search(rf"{id_} .* good until (\S+)( \d\d:\d\d UTC)?", house.said("key", "list"))
    assert soon is not None
    assert bool(soon[2]) == (soon[1] == datetime.now(UTC).strftime("%Y-%m-%d"))
    assert "is revoked" in house.said("key", "revoke", id_)
    assert re.search(rf"{id_} .* revoked", house.said("key", "list"))
    assert key not in house.said("key", "list")


@pytest.mark.promise("STO-THREADS")
def test_a_conversation_goes_on_with_a_rotated_key_and_not_with_another(tmp_path: Path, model: str) -> None:
    house = House(tmp_path / "home", model=model)
    house.publish()
    keys = [house.key()]
    keys.append(house.run("key", "rotate", keys[0].split("_")[1]).stdout.strip())
    keys.append(house.run("key", "rotate", keys[1].split("_")[1]).stdout.strip())
    other = house.key()
    messages = [{"role": "user", "content": "Where is my order?"}]
    held = []
    with house.serving() as server:
        for key in (*keys, other):
            status, body, headers = server.ask(key, messages=messages)
            assert status == 200
            held.append(headers["x-handrail-conversation"])
            messages += [body["choices"][0]["message"], {"role": "user", "content": "And the other one?"}]
    assert len(set(held[:3])) == 1
    assert held[3] != held[0]


# --- looking ----------------------------------------------------------------------------------------------------------


def test_find_shows_newest_first_and_narrows(settled: tuple[House, str, str]) -> None:
    house, _, first = settled
    lines = house.run("find").stdout.splitlines()
    assert len(lines) == 2
    assert first in lines[1]
    assert first in house.said("find", "--finding", "card", "--use-case", "orders", "--verdict", "change")
    assert first in house.said("find", "--customer", "ada", "--since", "1h")
    assert json.loads(house.run("find", "--limit", "1", "--json").stdout)["use_case"] == "orders"
    assert "nothing found" in house.said("find", "--customer", "nobody")
    assert "nothing found" in house.said("find", "--until", "2020-01-01T00:00Z")


def test_show_gives_facts_and_on_request_the_masked_text(settled: tuple[House, str, str]) -> None:
    house, _, first = settled
    assert "payload" not in json.loads(house.run("show", first).stdout)
    said = house.run("show", first, "--payload", "--reason", "ticket 1").stdout
    assert "CARD" in said
    assert "4111" not in said
    assert '"ada"' not in said
    said = house.run("show", first, "--payload", "--unmask", "--reason", "ticket 1").stdout
    assert "4111 1111 1111 1111" in said
    house.run("show", first, "--unmask", code=2)


@pytest.mark.promise("RPT-1")
def test_report_shows_what_happened_what_was_reported_and_each_accepted_failure(
    settled: tuple[House, str, str],
) -> None:
    house, _, _ = settled
    said = house.said("report", "--since", "1h")
    assert "orders: 2 interactions in 2 new conversations" in said
    assert "reported afterwards: complaint 1" in said
    assert "accepted complaint_rate at most 2.0%: exceeded, 1 of 2 (50.0%)" in said
    assert "accepted low_csat_rate at most 10.0%: not measurable" in said
    assert "accepted blocked_rate at most 50.0%: held, 0 of 2 (0.0%)" in said
    assert "1 outcome events have not found their conversation" in said
    assert "no interactions" in house.said("report", "--until", "2020-01-01T00:00Z")


def test_a_name_that_is_none_says_where_to_look(settled: tuple[House, str, str]) -> None:
    house, _, _ = settled
    for words in (["find", "--use-case", "nope"], ["report", "--use-case", "nope"]):
        assert "there is no use case nope; in force are orders" in house.said(*words, code=1)
    assert "handrail find --conversation cv_1" in house.said("show", "cv_1", code=1)
    assert "handrail log --kind call" in house.said("show", "in_1", code=1)
    assert "handrail log --kind call" in house.said("find", "--outcome", "refused")
    assert "nothing found" in house.said("find", "--use-case", "orders", "--would-be", "deny")


@pytest.mark.promise("RPT-4")
def test_calls_over_the_budget_stand_in_the_report_and_in_the_log(tmp_path: Path, model: str) -> None:
    house = House(tmp_path / "home", model=model)
    accepted = "accepted_failures: [{metric: failed_rate, limit: 0.1}]\n"
    house.use_case(more=accepted + "budget: {requests: 2}\n")
    house.publish()
    key = house.key()
    with house.serving() as server:
        statuses = [server.ask(key, "Where is my order?")[0] for _ in range(5)]
    assert statuses == [200, 200, 429, 429, 429]
    said = house.said("report")
    assert "without an answer: 3 of 5 (60.0%)" in said
    assert "budget.requests 3" in said
    assert "accepted failed_rate at most 10.0%: exceeded, 3 of 5 (60.0%)" in said
    assert "call.refused" in house.said("log", "--kind", "call")


@pytest.mark.promise("RPT-3")
def test_log_lists_entries_by_kind_or_area(settled: tuple[House, str, str]) -> None:
    house, _, first = settled
    assert house.said("log", "--kind", "outcome.reported").count("outcome.reported") == 2
    keys = house.run("log", "--kind", "key", "--since", "1h").stdout.splitlines()
    assert len(keys) == 2
    assert all("  key.created  operator  " in line for line in keys)
    assert first in house.said("log", "--kind", "interaction.closed")
    newest = json.loads(house.run("log", "--kind", "server", "--limit", "1", "--json").stdout)
    assert newest["kind"] == "server.stopped"
    said = house.said("log", "--kind", "keys", code=2)
    assert "keys is no kind of entry" in said
    assert "sealing_key" in said
    assert "nothing found" in house.said("log", "--kind", "subject.erased")


def test_verify_proof_and_export_and_their_checks(settled: tuple[House, str, str], tmp_path: Path) -> None:
    house, _, first = settled
    key = house.said("log-key").strip()
    assert house.said("verify", str(house.root), "--payloads").startswith("OK: ")
    proof = tmp_path / "one.tlog-proof"
    house.run("proof", first, "--out", str(proof))
    assert house.said("check-proof", str(proof), "--key", key).startswith("OK: ")
    proof.write_bytes(proof.read_bytes()[:-40])
    assert house.said("check-proof", str(proof), "--key", key, code=1).startswith("BAD: ")
    house.run("export", str(tmp_path / "out.zip"), "--payloads")
    assert house.said("verify", str(tmp_path / "out.zip"), "--key", key).startswith("OK: ")
    house.run("export", str(tmp_path / "out.zip"), code=1)
    house.run("export", str(tmp_path / "facts.zip"))
    assert house.said("verify", str(tmp_path / "facts.zip"), "--key", key).startswith("OK: ")
    said = house.said("verify", str(tmp_path / "facts.zip"), "--key", key, "--payloads", code=1)
    assert "no ciphertext was checked: payloads not in this bundle" in said


def test_verify_takes_the_home_of_the_environment(settled: tuple[House, str, str], tmp_path: Path) -> None:
    house, _, _ = settled
    done = subprocess.run(
        [*HANDRAIL, "verify"],
        cwd=tmp_path, env={**house.env, "HANDRAIL_HOME": str(house.root)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith("OK: "), done.stderr


def test_once_somebody_is_registered_an_export_needs_a_person_who_may(
    settled: tuple[House, str, str], tmp_path: Path
) -> None:
    house = settled[0].copy(tmp_path / "copy")
    code = shown(house.said("person", "first"))
    ada = shown(house.said("person", "redeem", code, "--mail", "ada@house.example", "--name", "Ada"))
    assert "personal token" in house.said("export", str(tmp_path / "out"), code=1)
    assert "roles do not allow" in house.said("export", str(tmp_path / "out"), "--token", ada, code=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["find", "--since", "yesterday"], 2),
        (["find", "--since", "99999999999999999999d"], 2),
        (["find", "--finding", "NOTHING"], 2),
        (["find", "--limit", "0"], 2),
        (["find", "--conversation", "cv_nobody"], 0),
        (["find", "--release", "not-a-digest"], 2),
        (["report", "--until", "tomorrow"], 2),
        (["show", "in_nobody"], 1),
        (["show", "in_nobody", "--payload"], 2),
        (["show", "in_nobody", "--payload", "--unmask", "--reason", ""], 2),
        (["show", "in_nobody", "--payload", "--reason", "because Ada (ada@house.example) asked"], 1),
        (["show", "in_nobody", "--payload", "--reason", "ticket 1"], 1),
        (["proof", "en_nobody"], 1),
        (["proof", "in_nobody"], 1),
        (["check-proof", "nowhere", "--key", "x+1+y"], 2),
        (["check-proof", "handrail.yaml"], 2),
        (["check-proof", "handrail.yaml", "--key", "nonsense"], 2),
        (["verify", "nowhere"], 1),
        (["verify", "http://127.0.0.1:1/log/"], 2),
        (["verify", "http://127.0.0.1:1/log/", "--key", "nonsense"], 2),
        (["verify", ".", "--quorum", "3"], 1),
        (["verify", "handrail.yaml"], 1),
        (["erase", "--reason", "request 1", "--yes"], 2),
        (["erase", "--customer", "a", "--conversation", "b", "--reason", "request 1", "--yes"], 2),
        (["erase", "--customer", "nobody", "--reason", "request 1", "--yes"], 1),
        (["erase", "--customer", "nobody", "--reason", "ada@house.example wants it", "--yes"], 1),
        (["erase", "--customer", "ada"], 2),
        (["legal-hold", "lift", "--customer", "ada", "--reason", "request 1"], 1),
        (["legal-hold", "forget", "--customer", "ada", "--reason", "request 1"], 2),
        (["backup"], 2),
        (["backup", "/proc/handrail"], 1),
        (["backup", "/proc/handrail.zip"], 1),
        (["backup", "/proc/handrail", "--only-erasures"], 1),
        (["export", "/proc/handrail"], 1),
        (["restore", "nowhere"], 1),
        (["restore", "handrail.yaml", "--replace"], 1),
        (["restore", "use-cases", "--replace"], 1),
        (["scan", "--only", "NOTHING"], 2),
        (["scan", "--use-case", "nothing"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
@pytest.mark.promise("OPS-6")
def test_mistakes_end_with_a_sentence_and_the_right_code(
    settled: tuple[House, str, str], command: list[str], code: int
) -> None:
    house, _, _ = settled
    assert house.said(*command, code=code).strip()


def test_what_the_system_refuses_is_told_with_its_place(settled: tuple[House, str, str]) -> None:
    house, _, _ = settled
    said = house.said("backup", "/proc/handrail", code=1)
    assert re.fullmatch(r"handrail: /proc/\S*handrail\S*: No such file or directory\n", said), said


def test_an_interrupted_command_says_so_in_a_word(house: House) -> None:
    process = subprocess.Popen(
        [*HANDRAIL, "scan"], env={**os.environ, **house.env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=heeding_interrupts,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write('{"id": 1, "text": "hello"}\n')
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["findings"] == []  # it reads on
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said.strip()) == (130, "stopped")


def heeding_interrupts() -> None:
    """What a script starts in the background ignores interrupts, and hands that on: these tests, then the command."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_the_reason_of_a_reading_is_a_reference_and_nothing_is_shown_without_one(
    settled: tuple[House, str, str],
) -> None:
    house, _, first = settled
    for reason in ([], ["--reason", ""], ["--reason", "Ada Lovelace <ada@house.example> complained"]):
        said = house.run("show", first, "--payload", *reason, code=None)
        assert said.returncode in (1, 2)
        assert said.stdout == ""
        assert "request 4711" in said.stderr or "ticket 4711" in said.stderr


def test_a_key_file_that_is_not_there_is_told(settled: tuple[House, str, str]) -> None:
    house, _, _ = settled
    said = house.said("verify", str(house.root), "--key", "log.pub", code=2)
    assert "there is no file log.pub" in said
    assert "handrail log-key" in said
    (house.root / "log.pub").write_text(house.said("log-key"))
    assert house.said("verify", str(house.root), "--key", str(house.root / "log.pub")).startswith("OK: ")


def test_verify_of_an_address_without_a_log_is_told(settled: tuple[House, str, str]) -> None:
    house, _, _ = settled
    key = house.said("log-key").strip()
    assert "cannot be read" in house.said("verify", "http://127.0.0.1:1/log/", "--key", key, code=1)


def test_scan_reads_lines_and_tells_a_bad_one(house: House) -> None:
    done = house.run("scan", stdin='{"id": "1", "text": "My card is 4111 1111 1111 1111"}\n')
    assert json.loads(done.stdout)["findings"][0]["kind"] == "CARD"
    assert "CARD" in house.said("scan", "--kinds")
    done = house.run("scan", stdin="no json\n", code=1)
    assert json.loads(done.stdout)["line"] == 1
    assert "JSON" in json.loads(done.stdout)["error"]


# --- erasing ----------------------------------------------------------------------------------------------------------


def test_erase_asks_first_and_a_legal_hold_blocks_it(settled: tuple[House, str, str], tmp_path: Path) -> None:
    house = settled[0].copy(tmp_path / "copy")
    first = settled[2]
    ada = ["--customer", "ada", "--reason", "request 1"]
    house.run("erase", *ada, stdin="n\n", code=130)
    assert "nothing was erased; --yes" in house.said("erase", *ada, stdin="", code=130)
    house.run("legal-hold", "set", *ada)
    assert "legal hold" in house.said("erase", *ada, "--yes", code=1)
    assert "  operator  request 1" in house.said("legal-hold", "list")
    house.run("legal-hold", "lift", *ada)
    assert "no legal hold stands" in house.said("legal-hold", "list")
    assert "erased: 1 subjects" in house.said("erase", *ada, stdin="y\n")
    assert "(erased)" in house.said("show", first, "--payload", "--reason", "ticket 1")
    house.run("erase", *ada, "--yes", code=1)
    assert "destroyed: intermediate-" in house.said("rotate-keys")
    assert house.said("verify", str(house.root), "--payloads").startswith("OK: ")
