"""The request path against the direct call and, where installed, against peers; see docs/benchmarks.md.

    .venv/bin/python bench/gateway.py [--secs 5] [--rounds 2] [--only direct,handrail]

The harness (mock upstream, load generator, runner) lies outside this repository: `HANDRAIL_BENCH`, default
`../shared/bench/gateway`. It pins the gateway's whole process tree to one CPU, mock and load generator to the other,
takes CPU time from the kernel's accounting, and checks every answer for its marker.
"""

import argparse
import compileall
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
HARNESS = Path(os.environ.get("HANDRAIL_BENCH") or ROOT.parent / "shared" / "bench" / "gateway")
BIN = Path(sys.executable).parent / "handrail"
WORK = ROOT / "bench" / "work"
PORT = 9400


def command(*args: str) -> str:
    done = subprocess.run([str(BIN), *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"handrail {' '.join(args)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def home() -> tuple[Path, str]:
    """A fresh copy of the bench home, published, and a key for it."""
    folder = WORK / "home"
    shutil.rmtree(folder, ignore_errors=True)
    command("init", str(folder))
    for name in ("use-cases", "prompts", "tests"):
        shutil.rmtree(folder / name)
    shutil.copytree(ROOT / "bench" / "home", folder, dirs_exist_ok=True)
    command("publish", str(folder))
    return folder, command("key", "create", "--use-case", "bench", "--home", str(folder))


def peers(folder: Path, key: str, wanted: list[str]) -> Path:
    ours = {
        "name": "handrail",
        "group": "ours",
        "cmd": f"{BIN} serve --home {folder} --workers 1 --port {PORT}",
        "port": PORT,
        "path": "/v1/chat/completions",
        "headers": {"Authorization": f"Bearer {key}"},
        "ready": "/readyz",
        "ready_s": 30,
    }
    others = [row for row in json.loads((HARNESS / "peers.json").read_text()) if row["name"] in wanted]
    path = WORK / "peers.json"
    path.write_text(json.dumps([ours, *others]))
    return path


def ready_seconds(folder: Path) -> list[float]:
    """From the command to the first answered request, five times; the harness itself looks only each 250 ms."""
    import urllib.request

    took = []
    for _ in range(5):
        began = time.monotonic()
        run = subprocess.Popen(
            ["taskset", "-c", "0", str(BIN), "serve", "--home", str(folder), "--port", str(PORT)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=1).read()
                break
            except OSError:
                time.sleep(0.005)
        took.append(round(time.monotonic() - began, 3))
        run.terminate()
        run.wait(30)
    return sorted(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secs", default="5")
    parser.add_argument("--rounds", default="2")
    parser.add_argument("--only", default="direct,handrail", help="names of peers.json too, when installed")
    args = parser.parse_args()
    if not (HARNESS / "runner.py").exists():
        raise SystemExit(f"the harness is not at {HARNESS}; set HANDRAIL_BENCH to its folder")
    WORK.mkdir(parents=True, exist_ok=True)
    compileall.compile_dir(ROOT / "src", quiet=1)  # as `make setup` leaves it
    folder, key = home()
    names = args.only.split(",")
    path = peers(folder, key, names)
    subprocess.run(
        [sys.executable, str(HARNESS / "runner.py"), "--work", str(WORK), "--peers", str(path), "--only", args.only,
         "--rounds", args.rounds, "--secs", args.secs, "--out", str(WORK / "gateway.json")],
        check=True,
    )  # fmt: skip
    results = json.loads((WORK / "gateway.json").read_text())["peers"]
    for row in results.get("handrail", {}).get("rounds", []):
        print(
            f"handrail: {row['max']['cpu_us_per_req']} us CPU per request, {row['max']['rps']:.0f} requests/s, "
            f"{row.get('smax', {}).get('cpu_us_per_req')} us per stream, {row['pss_mb']} MB PSS"
        )
    print("ready after (s):", ready_seconds(folder))
    log = (WORK / "log-handrail.txt").read_text()
    if re.search("error|Traceback", log):
        print("the server's log has errors:", log[-2000:])


if __name__ == "__main__":
    main()
