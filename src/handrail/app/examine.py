"""What `handrail doctor` looks at: files, database, the running server. Raises nothing: what cannot be seen is said."""

import asyncio
import shutil
import stat
from collections.abc import Mapping
from typing import TYPE_CHECKING

from handrail.app import wire
from handrail.app.doctor import DAY_MS, Seen
from handrail.app.provider_keys import routed, without_key
from handrail.app.running import Serving, behind, serving
from handrail.app.settings import LOG_KEY_FILE, Secrets, Settings, key_encryption_key, named_value
from handrail.app.standing import standing
from handrail.app.wire.policy import engines
from handrail.app.wire.reach import unreached
from handrail.approvals.notices import NoticeState
from handrail.home.check import check
from handrail.home.compile import compile_home
from handrail.home.problem import HomeInvalid
from handrail.home.read import read
from handrail.ledger.commitment import decode, read_facts
from handrail.ledger.read import PROJECTED, interaction_facts
from handrail.policy.ruleset import digest
from handrail.terms.errors import HandrailError

if TYPE_CHECKING:
    from handrail.app.wire import Store

LATEST = 5_000
"""Entries looked at for the share of unlinked conversations."""


async def gather(given: Settings, env: Mapping[str, str], *, offline: bool = False) -> Seen:
    """Look at everything. `offline`: ask no provider. Raises nothing: what cannot be seen is said in `unseen`."""
    seen = Seen(mistakes=len(check(read(given.home), engines())), now_ms=wire.CLOCK.now_ms())
    _files(given, env, seen)
    try:
        async with wire.opened(given, env, checkpoints=False) as store:
            await _database(given, env, store, seen)
    except HandrailError as error:
        seen.unseen["database"] = error.message
    if seen.snapshot is not None and not offline:
        with_key = [one for one in routed(seen.snapshot) if one.id not in seen.missing_secrets]
        seen.unreached = await unreached(seen.snapshot.ruleset, with_key, Secrets(given.home, env))
    seen.restart_for = behind(given)
    runs = serving(given) or Serving(boot=given.boot, host=given.boot.host, port=given.boot.port)
    seen.server = await asyncio.to_thread(standing, runs.host, runs.port, tls=bool(runs.boot.tls_cert_file))
    return seen


def _files(given: Settings, env: Mapping[str, str], seen: Seen) -> None:
    try:
        key_encryption_key(given, env)
    except HandrailError as error:
        seen.unseen["key-encryption key"] = error.message
    if not given.data_dir.is_dir():
        seen.unseen["data folder"] = "it does not exist; handrail init makes it"
        return
    seen.disk_free = shutil.disk_usage(given.data_dir).free
    for path in (given.data_dir, given.keys_dir, given.data_dir / "kek", given.data_dir / LOG_KEY_FILE):
        if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            seen.wide_open.append(path.name)
    inside = given.data_dir.is_relative_to(given.home)
    ignored = given.home / ".gitignore"
    if inside and (given.home / ".git").exists():
        seen.not_ignored = given.data_dir.name not in (ignored.read_text() if ignored.exists() else "")
    boot = given.boot
    seen.one_holder = not (boot.kek_env or boot.log_key_env or boot.log_key_file) and given.database_url is None
    seen.witnessed = wire.LogFolder(given.log_dir).read("witnessed") is not None


async def _database(given: Settings, env: Mapping[str, str], store: "Store", seen: Seen) -> None:
    seen.snapshot = await store.in_force.load()
    people = await store.journal.run(lambda tx: (len(tx.persons.all()), tx.now_ms))
    seen.people, seen.clock_off_ms = people[0], wire.CLOCK.now_ms() - people[1]
    if seen.snapshot is not None:
        seen.missing_secrets = without_key(seen.snapshot, Secrets(given.home, env))
        try:
            written = compile_home(read(given.home), engines()).ruleset
            seen.unpublished = digest(written) != seen.snapshot.ruleset_digest
        except HomeInvalid:
            seen.unpublished = True
    await _notices(given, env, store, seen)
    await _journal(given, store, seen)


async def _notices(given: Settings, env: Mapping[str, str], store: "Store", seen: Seen) -> None:
    """Who was not told lately, and who cannot be. `untold`: given up within a day, or tried in vain so far."""
    for posted in await store.notices.listed(frozenset({NoticeState.WAITING, NoticeState.GIVEN_UP}), limit=LATEST):
        notice = posted.notice
        if posted.code and notice.at_ms > seen.now_ms - DAY_MS:
            seen.untold[notice.receiver] = seen.untold.get(notice.receiver, 0) + 1
    receivers = seen.snapshot.ruleset.notices.receivers if seen.snapshot is not None else {}
    for name, receiver in receivers.items():
        references = ((receiver.url_env, receiver.url_file), (receiver.secret_env, receiver.secret_file))
        for variable, file in references:
            try:
                if variable or file:
                    named_value(given.home, env, f"receiver {name}", variable, file)
            except HandrailError as error:
                seen.mute[name] = error.message


async def _journal(given: Settings, store: "Store", seen: Seen) -> None:
    after = max(0, await store.sequencing.sequenced() - LATEST)
    rows = await store.reader.entries(after, LATEST)
    while rows:
        after = rows[-1][0]
        for _, data in rows:
            recorded = read_facts(data)
            if recorded.kind in PROJECTED and recorded.at_ms > seen.now_ms - DAY_MS:
                seen.interactions += 1
                seen.unlinked += interaction_facts(recorded).unlinked
        rows = await store.reader.entries(after, LATEST)
    for oldest in await store.sequencing.take(1):  # not the newest: a busy server has one of this moment
        seen.log_behind_ms = seen.now_ms - decode(oldest.commitment).at_ms
