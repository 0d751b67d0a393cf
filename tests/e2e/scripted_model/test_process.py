"""The scripted model as a process, with a script of one's own."""

import json
import signal
import subprocess
import sys
import urllib.request


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
