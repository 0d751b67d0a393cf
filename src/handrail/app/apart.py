"""Work done in a short-lived process, whose memory is gone when it ends; only its answer comes back.

`handrail serve` reads the home this way while it loads the rest of itself: the YAML reader and the checks are needed
once, and every page they touch would otherwise stay for the life of the server. Fork before there are threads.
"""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from handrail.app.settings import Settings
from handrail.terms.errors import Code, HandrailError


class _Answer(msgspec.Struct):
    settings: Settings | None = None
    code: Code | None = None
    message: str = ""


def settings_apart(load: Callable[[], Settings]) -> Callable[[], Settings]:
    """Begin `load` in another process; the result is a function that waits for it. That one raises the HandrailError
    that `load` raised, or HOME_INVALID when the process died."""
    end, start = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(end)
        code = 1
        try:
            with os.fdopen(start, "wb") as pipe:
                pipe.write(_attempt(load))
            code = 0
        finally:
            os._exit(code)
    os.close(start)

    def result() -> Settings:
        with os.fdopen(end, "rb") as pipe:
            data = pipe.read()
        os.waitpid(pid, 0)
        if not data:
            raise HandrailError(Code.HOME_INVALID, "the home could not be read; see the lines above")
        answer = msgspec.json.decode(data, type=_Answer, dec_hook=_path)
        if answer.settings is None:
            raise HandrailError(answer.code or Code.HOME_INVALID, answer.message)
        return answer.settings

    return result


def _attempt(load: Callable[[], Settings]) -> bytes:
    try:
        answer = _Answer(settings=load())
    except HandrailError as error:
        answer = _Answer(code=error.code, message=error.message)
    return msgspec.json.encode(answer, enc_hook=str)


def _path(kind: type, value: object) -> Path:
    assert kind is Path
    return Path(str(value))
