"""The only reader of the environment: what a process must know before it opens anything.

A secret is read when it is first needed, kept in memory, and never part of an error or a log line.
"""

import base64
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from handrail.home.boot import Bootstrap
from handrail.policy.ruleset import Provider
from handrail.terms.errors import Code, HandrailError

HOME_VARIABLE = "HANDRAIL_HOME"
TOKEN_VARIABLE = "HANDRAIL_TOKEN"  # noqa: S105  the name of a variable, not a token
LOG_KEY_FILE = "log.key"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Paths are absolute. `database_url` None: SQLite in the data folder."""

    home: Path
    data_dir: Path
    boot: Bootstrap
    database_url: str | None

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "log"

    @property
    def keys_dir(self) -> Path:
        return self.data_dir / "keys"


def environment() -> Mapping[str, str]:
    """The process environment."""
    return os.environ  # noqa: TID251  the one place that reads it


def settings(home: Path, env: Mapping[str, str]) -> Settings:
    """From `handrail.yaml` and the environment. Raises HandrailError HOME_INVALID that says what to mend."""
    from handrail.home.bootstrap import bootstrap  # deferred: a server process keeps no YAML reader in memory
    from handrail.home.problem import HomeInvalid  # deferred, as above
    from handrail.home.read import read  # deferred, as above

    home = home.resolve()
    try:
        boot = bootstrap(read(home))
    except HomeInvalid as problem:
        lines = "\n".join(f"  {mistake}" for mistake in problem.mistakes) or "  there is no handrail.yaml"
        there = (home / "handrail.yaml").is_file()
        mend = f"every mistake of it: handrail check {home}" if there else f"make one: handrail init {home}"
        raise HandrailError(
            Code.HOME_INVALID, f"{home} is no home that can be used:\n{lines}\n  {mend}; another one: --home"
        ) from None
    url = _variable(env, boot.database_env, "database.env") if boot.database_env else boot.database
    return Settings(
        home=home,
        data_dir=(home / boot.data_dir).resolve(),
        boot=boot,
        database_url=None if url == "sqlite" else url,
    )


def key_encryption_key(given: Settings, env: Mapping[str, str]) -> bytes:
    """32 bytes. Raises HandrailError HOME_INVALID when it is not there or has another length."""
    if given.boot.kek_env:
        return _key(_variable(env, given.boot.kek_env, "keys.kek_env").encode(), f"variable {given.boot.kek_env}")
    path = given.data_dir / (given.boot.kek_file or "kek")
    try:
        return _key(path.read_bytes(), f"file {path.name}")
    except OSError as error:
        raise HandrailError(
            Code.HOME_INVALID,
            f"the key-encryption key cannot be read from {path.name} in the data folder ({error.strerror}); "
            "without it nothing recorded can be opened: put the key of this home back there"
            + ("" if Path(given.boot.kek_file or "").is_absolute() else f": {_put_kek(given, path)}"),
        ) from None


def _put_kek(given: Settings, path: Path) -> str:
    """What to type in the home folder."""
    folder = given.boot.data_dir
    return f"mkdir -p -m 700 {folder} && cp {path.name} {folder}/ (from where you keep it)"


def key_in(env: Mapping[str, str], name: str) -> bytes:
    """The 32 bytes of a key in a variable. Raises HandrailError HOME_INVALID."""
    value = env.get(name, "").strip()
    if not value:
        raise HandrailError(Code.HOME_INVALID, f"the environment has no {name}")
    return _key(value.encode(), f"variable {name}")


class Secrets:
    """Provider keys by reference: `key_env` or `key_file`. Looked up once; a file again when it changes."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        self._home = home
        self._env = env
        self._files: dict[Path, tuple[int, str]] = {}

    def __call__(self, provider: Provider) -> str:
        """Empty when the provider needs none. Raises HandrailError UPSTREAM_UNREACHABLE that names the reference."""
        if provider.key_env:
            value = self._env.get(provider.key_env, "").strip()
            if not value:
                raise _absent(provider, f"the environment variable {provider.key_env} is not set")
            return value
        if provider.key_file:
            return self._from_file(provider, self._home / provider.key_file)
        return ""

    def _from_file(self, provider: Provider, path: Path) -> str:
        try:
            changed = path.stat().st_mtime_ns
            known = self._files.get(path)
            if known is None or known[0] != changed:
                known = self._files[path] = (changed, path.read_text().strip())
        except OSError as error:
            raise _absent(provider, f"its key file {path.name} cannot be read ({error.strerror})") from None
        return known[1]


def named_value(home: Path, env: Mapping[str, str], who: str, variable: str, file: str) -> str:
    """What stands in a variable or a file, read each time. Raises HandrailError HOME_INVALID that names the reference,
    never the value."""
    if variable:
        value = env.get(variable, "").strip()
        if not value:
            raise HandrailError(Code.HOME_INVALID, f"{who} needs the environment variable {variable}, which is not set")
        return value
    try:
        return (home / file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise HandrailError(
            Code.HOME_INVALID, f"{who} needs the file {Path(file).name}, which cannot be read ({why})"
        ) from None


def _absent(provider: Provider, what: str) -> HandrailError:
    return HandrailError(Code.UPSTREAM_UNREACHABLE, f"provider {provider.id} has no key: {what}")


def _variable(env: Mapping[str, str], name: str, field: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise HandrailError(
            Code.HOME_INVALID, f"handrail.yaml says {field}: {name}, and the environment has no {name}: set it"
        )
    return value


def _key(data: bytes, where: str) -> bytes:
    """32 raw bytes, or 64 hex digits, or base64."""
    if len(data) == 32:
        return data
    text = data.strip()
    for decode in (_hex, _base64):
        key = decode(text)
        if key is not None and len(key) == 32:
            return key
    raise HandrailError(
        Code.HOME_INVALID, f"the key-encryption key in {where} is not 32 bytes, 64 hex digits or base64 of 32 bytes"
    )


def _hex(text: bytes) -> bytes | None:
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return None


def _base64(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None
