"""The demo as a person starts it: real processes, no terminal. And that its checks can fail."""

import http.client
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from handrail.app.demo import checks, script
from handrail.app.demo.stage import held, write_home
from handrail.home.check import check
from handrail.home.read import read
from handrail.terms.errors import Code, HandrailError

FICTION = re.compile(r"example(\.(com|net|org))?\Z")
ADDRESS = re.compile(r"[\w.+-]+@([\w.-]+\w)")


def run(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "handrail.cli.main", "demo", *options],
        cwd=folder,
        env={**os.environ, "DEMO_SECONDS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """A demo without a terminal, from start to end: its folder and what it said."""
    folder = tmp_path_factory.mktemp("played")
    return folder, run(folder)


@pytest.mark.promise("DEMO-1")
def test_the_demo_plays_checks_itself_verifies_the_ledger_and_ends_with_0(played) -> None:
    folder, done = played
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT AS EXPECTED" not in done.stdout
    assert "first guarded answer" in done.stdout
    assert "masked CARD" in done.stdout
    assert "masked PASSWORD" in done.stdout
    assert "blocked INJECTION" in done.stdout
    assert "blocked UNGROUNDED in the answer" in done.stdout
    assert "masked EMAIL in the answer" in done.stdout
    assert "handed over VULNERABILITY" in done.stdout
    assert "would mask CARD, masked CVV" in done.stdout
    assert "refused 401: key.unknown" in done.stdout
    assert re.search(r"planted values, 0 of them in the [1-9]\d* requests", done.stdout)
    assert re.search(r"OK: [1-9]\d* entries under the checkpoint", done.stdout)
    assert "OPENAI_BASE_URL=http://127.0.0.1:" in done.stdout
    assert done.stdout.rstrip().endswith("the demo ended")
    assert (folder / "demo-home" / "handrail.yaml").exists()


@pytest.mark.promise("CSF-6")
def test_the_demo_says_where_its_console_is_and_opens_its_pages_for_each_role(played) -> None:
    _, done = played
    assert re.search(r"the console at http://127\.0\.0\.1:\d+/sign-in/demo \(choose a role", done.stdout)
    assert re.search(r"the console: \d+ pages and lists opened, and 8 roles see each what is theirs", done.stdout)
    assert re.search(r"in a browser   http://127\.0\.0\.1:\d+/sign-in/demo: choose a role", done.stdout)


@pytest.mark.promise("DEMO-6")
def test_the_shorter_replies_pass_their_tests_and_take_themselves_back(played) -> None:
    folder, done = played
    shown = done.stdout.partition('"shorter replies"')[2]
    for line in (
        r"help-chat: release [0-9a-f]{12} is a draft",
        r"release [0-9a-f]{12} is tested by these 2 cases",
        r"canary  stage 1 of 2, 0.3 of new units",
        r"ROLLED BACK. Worse: transfers to a person in \d+\.\d % of \d+ with it, against .* It was rolled back\.",
        r"a second later, the next 15 conversations: all answered by the release from before",
        r"[0-9a-f]{12}  help-chat  rolled back",
        r"ic_\w+  contained  S2  help-chat ",
    ):
        assert re.search(line, shown), line
    evidence = [float(one) for one in re.findall(r"\| ([\d,.]+) of 100", shown.replace(",", ""))]
    assert evidence[0] < evidence[-1] >= 100
    prompt = (folder / "demo-home" / "prompts" / "help-chat.md").read_text()
    assert "Shorter" not in prompt


@pytest.mark.promise("DEMO-5")
def test_the_agents_calls_pass_wait_or_are_stopped_with_their_reason_and_the_books_agree(played) -> None:
    folder, done = played
    assert done.returncode == 0, done.stdout + done.stderr
    acts = done.stdout.partition("the agent acts")[2]
    for line in (
        r"refund KP-31101, 29: done at once, receipt RF-\d+",
        r"refund KP-31102, 89: held, .*a refund above 50.00 EUR waits for a person",
        r"demo approver says yes \(.*\): done, receipt RF-\d+",
        r"change_address KP-31103, Elm Row 12, 22303, Hamburg: done at once",
        r"refund KP-31104, 480: DENIED, what somebody wrote into an order is no reason to pay",
        r"refund KP-31105, 40: held, limit one-order",
        r"demo approver says NO \(parts of a larger sum\): denied",
        r"refund KP-31101, 29: DENIED, the order was paid back already",
    ):
        assert re.search(line, acts), line
    assert re.search(r"^refund +7 +2 +3 +1 +4 +163.00 EUR$", acts, re.MULTILINE)
    assert "the shop's own books: 3 refunds, 163.00 EUR; 1 new address" in acts
    assert "handrail approvals list" in acts
    denied = listed(folder, "denied")
    assert [row["amount_minor"] for row in denied] == [48_000, 4_000, 3_500, 2_900]
    again = run(folder, "--keep")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "refund KP-31201, 29: done at once" in again.stdout
    assert len(listed(folder, "denied")) == 8


def listed(folder: Path, state: str) -> list[dict[str, object]]:
    words = ["approvals", "list", "--state", state, "--json", "--home", "demo-home"]
    done = subprocess.run(
        [sys.executable, "-m", "handrail.cli.main", *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.promise("DEMO-5")
def test_rules_that_let_a_split_refund_through_fail_the_demo(tmp_path) -> None:
    home = tmp_path / "demo-home"
    write_home(home, keep=False)
    rules = home / "rules" / "care.yaml"
    sound = rules.read_text()
    rules.write_text(sound.replace("at_most: 5000\n", "at_most: 500000\n"))
    assert rules.read_text() != sound
    done = run(tmp_path, "--keep")
    assert done.returncode == 1
    split = "NOT AS EXPECTED: a refund split under the threshold: refund was to end as denied and is done"
    assert done.stdout.count(split) == 2
    assert "the shop's own books: 5 refunds, 238.00 EUR" in done.stdout


@pytest.mark.promise("DEMO-1")
def test_on_a_terminal_it_asks_about_what_is_held_and_stays_up_until_ctrl_c(tmp_path) -> None:
    ours, theirs = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "DEMO_SECONDS"}
    command = [sys.executable, "-m", "handrail.cli.main", "demo", "--pace", "0", "--decide-within", "3"]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = _until(ours, b"approve it? y or n, within 3 s: ")
        os.write(ours, b"n\n")
        shown += _until(ours, b"the person at the terminal says NO (y or n): denied")
        shown += _until(ours, b"approve it? y or n, within 3 s: ")
        os.write(ours, b"y\n")
        shown += _until(ours, b"the person at the terminal says yes (y or n): done")
        shown += _until(ours, b"nobody answered")
        shown += _until(ours, b"Ctrl-C ends it")
        assert b"demo approver says NO" in shown
        assert b"the shop's own books: 3 refunds, 114.00 EUR" in shown
        address = re.search(rb"handrail serve at http://([\d.:]+)/v1", shown)
        assert address
        assert _is_ready(address[1].decode())
        process.send_signal(signal.SIGINT)
        shown += _until(ours, b"the demo ended")
        assert process.wait(60) == 0
        assert not _is_ready(address[1].decode())
    os.close(ours)


def test_ctrl_c_at_a_question_ends_it_and_what_is_held_stays_held(tmp_path) -> None:
    ours, theirs = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "DEMO_SECONDS"}
    command = [sys.executable, "-m", "handrail.cli.main", "demo", "--pace", "0", "--decide-within", "600"]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        _until(ours, b"approve it? y or n, within 600 s: ")
        process.send_signal(signal.SIGINT)
        _until(ours, b"the demo was stopped early")
        assert process.wait(60) == 130
    os.close(ours)
    assert [row["amount_minor"] for row in listed(tmp_path, "held")] == [8_900]


def _until(terminal: int, sign: bytes) -> bytes:
    """What the terminal shows until the sign; fails when nothing comes for two minutes."""
    shown = b""
    while sign not in shown:
        readable, _, _ = select.select([terminal], [], [], 120)
        assert readable, shown.decode(errors="replace")
        shown += os.read(terminal, 65_536)
    return shown


def _is_ready(host: str) -> bool:
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


@pytest.mark.promise("DEMO-6")
def test_a_draft_that_fails_its_tests_is_not_started_and_fails_the_demo(tmp_path) -> None:
    home = tmp_path / "demo-home"
    write_home(home, keep=False)
    cases = home / "tests" / "help-chat.yaml"
    sound = cases.read_text()
    cases.write_text(sound.replace("(?i)dry", "(?i)step by step"))
    assert cases.read_text() != sound
    done = run(tmp_path, "--keep")
    assert done.returncode == 1
    assert "NOT AS EXPECTED: the draft of the shorter replies could not be started" in done.stdout
    assert "ROLLED BACK" not in done.stdout


@pytest.mark.promise("DEMO-2")
def test_a_net_that_lets_a_card_number_through_fails_the_demo(tmp_path) -> None:
    home = tmp_path / "demo-home"
    write_home(home, keep=False)
    chat = home / "use-cases" / "shop-chat.yaml"
    sound = chat.read_text()
    chat.write_text(sound.replace("CARD: mask", "CARD: mark"))
    assert chat.read_text() != sound
    done = run(tmp_path, "--keep")
    assert done.returncode == 1
    assert "NOT AS EXPECTED: planted value '4532 0151 1283 0366' reached the model unmasked" in done.stdout
    assert "NOT AS EXPECTED: planted value 'fünf fünf fünf fünf, fünf' reached the model unmasked" in done.stdout
    assert "the demo FAILED" in done.stdout
    assert "DE89" not in "".join(line for line in done.stdout.splitlines() if "NOT AS" in line)


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path) -> None:
    (tmp_path / "handrail.yaml").write_text("organisation: Somebody Else\n")
    with pytest.raises(HandrailError) as caught:
        write_home(tmp_path, keep=False)
    assert caught.value.code is Code.ALREADY
    assert (tmp_path / "handrail.yaml").read_text() == "organisation: Somebody Else\n"


@pytest.mark.parametrize("keep", [True, False])
def test_the_home_of_a_running_demo_is_left_alone(tmp_path, keep) -> None:
    write_home(tmp_path / "home", keep=False)
    with held(tmp_path / "home"):
        with pytest.raises(HandrailError) as caught:
            write_home(tmp_path / "home", keep=keep)
        assert caught.value.code is Code.ALREADY
        assert (tmp_path / "home" / "handrail.yaml").exists()
    assert write_home(tmp_path / "home", keep=keep) is not keep


def test_a_home_that_was_left_half_written_is_made_again(tmp_path) -> None:
    write_home(tmp_path / "home", keep=False)
    (tmp_path / "home" / "handrail.yaml").unlink()
    assert write_home(tmp_path / "home", keep=True)
    assert (tmp_path / "home" / "handrail.yaml").exists()


def test_the_demos_home_has_no_mistakes(tmp_path) -> None:
    write_home(tmp_path / "home", keep=False)
    assert check(read(tmp_path / "home")) == []


def test_the_play_has_the_languages_and_dialects_it_promises() -> None:
    talks = script.load().conversations
    assert {talk.language for talk in talks} >= {"en", "de", "fr", "es", "it"}
    assert {talk.dialect for talk in talks} == {"chat", "responses", "messages"}
    assert {talk.stream for talk in talks} == {True, False}
    assert {talk.channel for talk in talks} >= {"voice"}


def test_every_address_in_the_play_lies_in_a_domain_kept_for_examples() -> None:
    for name in ("play.yaml", "script.json", "home/handrail.yaml"):
        domains = ADDRESS.findall((script.DATA / name).read_text())
        assert domains
        for domain in domains:
            assert FICTION.search(domain), domain


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("4532 0151 1283 0366", "4532015112830366"),
        ("4532 0151 1283 0366", "4532-0151-1283-0366"),
        ("fünf fünf fünf", "Fünf, fünf. Fünf"),
        ("731", "code 731."),
    ],
)
def test_a_planted_value_is_found_however_it_is_written(value, text) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": f"first line\n{text}"}]})
    assert checks.of_model((value,), [body]) == [f"planted value {value!r} reached the model unmasked"]


def test_a_short_planted_value_inside_a_longer_one_is_no_alarm() -> None:
    assert checks.of_model(("731",), [json.dumps({"seed": "47310"})]) == []


def test_a_model_that_saw_nothing_shows_nothing() -> None:
    assert checks.of_model(("731",), [])
