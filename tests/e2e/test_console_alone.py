"""`handrail console` without a gateway, and what `handrail serve` prints of it."""

import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from house import HANDRAIL, House, within
from mcp_house import free_port


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _house(folder: Path, port: int) -> House:
    house = House(folder / "home")
    path = house.root / "handrail.yaml"
    path.write_text(path.read_text().replace("console: { serve: false }", f"console: {{ listen: 127.0.0.1:{port} }}"))
    house.publish()
    return house


def test_the_console_runs_alone_and_ends_when_told(tmp_path: Path) -> None:
    port = free_port()
    house = _house(tmp_path, port)
    process = subprocess.Popen(
        [*HANDRAIL, "console"], cwd=house.root, env={**os.environ, **house.env}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    with process:
        try:
            within(30, lambda: _status(f"http://127.0.0.1:{port}/sign-in"))
            assert _status(f"http://127.0.0.1:{port}/api") == 401
        finally:
            process.terminate()
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert f"console: http://127.0.0.1:{port}" in said
    assert "Traceback" not in said
