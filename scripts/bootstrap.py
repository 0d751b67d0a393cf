"""Put the locked uv into a local folder, with whatever this Python has: venv, or pip, or a clear sentence.

Usage: python3 scripts/bootstrap.py FOLDER REQUIREMENTS. Needs nothing but the standard library.
"""

import shutil
import subprocess
import sys
from pathlib import Path


def attempt(*command: str) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False).returncode == 0


def main(folder: Path, requirements: Path) -> int:
    wanted = folder / "bin" / "uv"
    if attempt(sys.executable, "-m", "venv", "--clear", str(folder)):
        pip = [str(folder / "bin" / "python"), "-m", "pip"]
        place: list[str] = []
    else:
        shutil.rmtree(folder, ignore_errors=True)
        pip = [sys.executable, "-m", "pip"]
        place = ["--target", str(folder)]
    command = [
        *pip,
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        *place,
        "-r",
        str(requirements),
    ]
    done = subprocess.run(command, check=False)
    if done.returncode or not wanted.exists():
        print(f"could not install uv into {folder}: `{' '.join(command)}` failed.", file=sys.stderr)
        print("This Python needs the venv or pip module (on Debian: apt install python3-venv).", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
