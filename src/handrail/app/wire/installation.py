"""This installation for the console's settings: what its home says that is no rule, and what doctor finds.

Doctor runs in a process of its own: it reads YAML and compiles the home, which a page's process should not wait for.
"""

import asyncio
import sys

import msgspec

from handrail import VERSION
from handrail.app import wire
from handrail.app.settings import Settings
from handrail.console.ports import Advised, Examined, Installed

EVERY_MS = 60_000
LONGEST_S = 30.0


class ThisInstallation:
    """`console.ports.Installation`."""

    def __init__(self, given: Settings) -> None:
        self._given = given
        self._lock = asyncio.Lock()
        self.examined: Examined | None = None

    def described(self) -> Installed:
        boot = self._given.boot
        said, oidc = boot.sign_in, boot.sign_in.oidc
        address = boot.console_url or f"http://{boot.console_host}:{boot.console_port}"
        return Installed(
            version=VERSION, database="sqlite" if self._given.database_url is None else "postgresql",
            address=address.rstrip("/"), idle_ms=said.idle_ms, most_ms=said.most_ms, fresh_ms=said.fresh_ms,
            above_minor=said.fresh_above_minor, second_factor=said.second_factor,
            provider=oidc.name if oidc else "", issuer=oidc.issuer if oidc else "",
            groups=tuple(sorted(oidc.groups.items())) if oidc else (), creates=bool(oidc and oidc.create),
        )  # fmt: skip

    async def examine(self) -> Examined:
        async with self._lock:
            now = wire.CLOCK.now_ms()
            if self.examined is None or not 0 <= now - self.examined.at_ms < EVERY_MS:
                self.examined = await self._examine(now)
            return self.examined

    async def _examine(self, now: int) -> Examined:
        command = ("-m", "handrail.cli.main", "doctor", "--offline", "--json", "--home", str(self._given.home))
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:
            return Examined(at_ms=now, failed=error.strerror or "it could not be started")
        try:
            said, _ = await asyncio.wait_for(process.communicate(), LONGEST_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            return Examined(at_ms=now, failed=f"it took longer than {LONGEST_S:.0f} s")
        if process.returncode not in (0, 1):
            return Examined(at_ms=now, failed=f"it ended with code {process.returncode}")
        try:
            found = tuple(msgspec.json.decode(line, type=Advised) for line in said.splitlines() if line.strip())
        except msgspec.MsgspecError:
            return Examined(at_ms=now, failed="what it said could not be read")
        return Examined(at_ms=now, found=found)
