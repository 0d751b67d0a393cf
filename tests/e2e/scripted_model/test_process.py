"""The scripted model as a process, with a script of one's own."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

from handrail.app.scripted_model.script import Ask, Line, Script, Tool, ToolCall, reply


def test_it_runs_as_a_module_with_a_script_file_and_ends_on_sigterm(tmp_path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"replies": [], "fallback": {"id": "f", "text": "from my own file"}}))
    command = [sys.executable, "-m", "handrail.app.scripted_model", "--port", "0", "--script", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        assert "no model inside" in line
        url = line.rsplit(" ", 1)[1].strip()
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "?"}]}).encode()
        with urllib.request.urlopen(f"{url}/chat/completions", data=body, timeout=10) as response:
            answer = json.load(response)
        assert answer["choices"][0]["message"]["content"] == "from my own file"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_broken_script_file_is_refused_with_its_place(tmp_path) -> None:
    script = tmp_path / "script.json"
    script.write_text('{"replies": [{"id": "a", "txt": "slip"}], "fallback": {"id": "f", "text": "x"}}')
    command = [sys.executable, "-m", "handrail.app.scripted_model", "--script", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert "txt" in done.stderr
    assert "$.replies[0]" in done.stderr


def test_it_shows_what_it_remembers_and_only_when_told_to_remember() -> None:
    assert _seen_by(["--remember", "1"]) == [{"messages": [{"content": "second", "role": "user"}], "model": "m"}]
    assert _seen_by([]) == 404


def _seen_by(options: list[str]) -> list[object] | int:
    """What a fresh process shows after two requests, or the status of its refusal."""
    command = [sys.executable, "-m", "handrail.app.scripted_model", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().rsplit(" ", 1)[1].strip()
        for text in ("first", "second"):
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
            urllib.request.urlopen(f"{url}/chat/completions", data=body, timeout=10).close()
        try:
            with urllib.request.urlopen(f"{url.removesuffix('/v1')}/scripted/seen", timeout=10) as response:
                return [json.loads(body) for body in json.load(response)["seen"]]
        except urllib.error.HTTPError as refused:
            refused.close()
            return refused.code
        finally:
            process.send_signal(signal.SIGTERM)


def test_a_reply_may_call_one_tool_after_another() -> None:
    call = {"name": "look", "arguments": {"n": 2}}
    ask = Ask(model="m", text="?", answered=True, tools=(Tool("look", {}),))
    again = Line(id="a", text="done", tool_call=ToolCall(**call), after_result=True)
    assert reply(Script(replies=(), fallback=again), ask, turn=0).call == ToolCall("look", {"n": 2})
    once = Line(id="a", text="done", tool_call=ToolCall(**call))
    assert reply(Script(replies=(), fallback=once), ask, turn=0).text == "done"
