"""What a running server was started with is known while it runs, and only then."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from fakes.home import home

from handrail.app.running import FILE, Serving, alone, behind, serving, sharing
from handrail.app.settings import Settings
from handrail.home.bootstrap import bootstrap
from handrail.terms.errors import Code, HandrailError

HOLD = """
import sys
from pathlib import Path
import msgspec
from handrail.app.running import hold
from handrail.app.settings import Settings
from handrail.home.boot import Bootstrap
boot = msgspec.json.decode(sys.argv[1], type=Bootstrap)
hold(Settings(home=Path("."), data_dir=Path(sys.argv[2]), boot=boot, database_url=None), "127.0.0.3", 4711)
print("held", flush=True)
sys.stdin.read()
"""


def given(folder: Path, **changes: object) -> Settings:
    boot = msgspec.structs.replace(bootstrap(home()), **changes)
    return Settings(home=folder, data_dir=folder / "data", boot=boot, database_url=None)


def test_what_differs_is_named_as_in_the_home_while_the_server_lives(tmp_path: Path) -> None:
    settings = given(tmp_path)
    assert behind(settings) == []
    words = [sys.executable, "-c", HOLD, msgspec.json.encode(settings.boot).decode(), str(settings.data_dir)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"held\n"
        assert behind(settings) == []
        assert serving(given(tmp_path, port=1)) == Serving(boot=settings.boot, host="127.0.0.3", port=4711)
        assert behind(given(tmp_path, host="::1", port=1, kek_env="KEK", log_requests=True)) == [
            "listen", "keys", "log_requests",
        ]  # fmt: skip
        with pytest.raises(HandrailError) as refused, alone(settings):
            pass
        assert refused.value.code is Code.LOG_CONFLICT
        server.kill()
    assert behind(given(tmp_path, port=1)) == []
    assert serving(settings) is None
    with alone(settings):
        assert (settings.data_dir / FILE).exists()


def test_what_another_version_wrote_is_left_alone(tmp_path: Path) -> None:
    settings = given(tmp_path)
    settings.data_dir.mkdir()
    (settings.data_dir / FILE).write_bytes(b'{"other": 1}')
    with alone(settings):
        assert behind(given(tmp_path, port=1)) == []
    assert serving(settings) is None


def test_who_shares_the_keys_and_who_replaces_them_exclude_each_other(tmp_path: Path) -> None:
    settings = given(tmp_path)
    with sharing(settings), sharing(settings):
        assert behind(given(tmp_path, port=1)) == []  # it is no server
        with pytest.raises(HandrailError) as refused, alone(settings):
            pass
        assert refused.value.code is Code.LOG_CONFLICT
    with alone(settings), pytest.raises(HandrailError) as refused, sharing(settings):
        pass
    assert refused.value.code is Code.LOG_CONFLICT
    with sharing(settings):
        pass
