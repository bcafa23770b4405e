"""Whether a bank that was killed while it was built is the bank that was not.

Builds one bank of distinct prompts with `unprompt bank build` three times: undisturbed, killed with
SIGKILL at random moments and started again, and by two processes at once; then flips one bit of
every array in turn and cuts a file. Prints what was compared; ends with exit code 1 where a byte
differs or damage is not found.

Prompts are encoded by a small plugin, which is written beside them, unless another text encoder is
named: what is tested does not depend on it.

    python experiments/benchmarks/bank_kills.py FOLDER [--prompts N] [--kills N]
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from unprompt import DataError
from unprompt.bank import StoredBank, verify

PLUGIN = '''\
"""A text encoder of hashed words."""

from unprompt import Model, TextEncoderSpec, hookimpl
from unprompt.testing import HashedWords


class Options(Model):
    """There is nothing to choose."""


class Words(HashedWords):
    """Each word a fixed random direction."""

    def __init__(self, options, runtime):
        pass


@hookimpl
def unprompt_text_encoder():
    return TextEncoderSpec("words", "hashed words", Options, f"{__name__}:Words")
'''


def main() -> None:
    """Build, kill, compare; see the module."""
    arguments = _arguments()
    folder: Path = arguments.folder
    (folder / "plugins").mkdir(parents=True)
    (folder / "plugins" / "words.py").write_text(PLUGIN, encoding="utf-8")
    lines = [
        f"a prompt with the number {i} and {i * 7919 % 997}\n" for i in range(arguments.prompts)
    ]
    (folder / "prompts.txt").write_text("".join(lines), encoding="utf-8")
    rng = random.Random(arguments.seed)

    seconds = _build(folder, "whole", arguments)
    bank = StoredBank.open(folder / "whole")
    print(f"undisturbed: {len(bank):,} prompts in {len(bank.targets)} shards, {seconds:.1f} s")

    stopped = _killed(folder, seconds, rng, arguments)
    print(f"killed with SIGKILL {len(stopped)} times: " + ", ".join(stopped))
    _same(folder, "killed")

    processes = [_start(folder, "two", arguments) for _ in range(2)]
    if any(process.wait() for process in processes):
        sys.exit("one of two processes failed")
    _same(folder, "two")
    _damage(folder / "two", rng)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="A new folder.")
    parser.add_argument("--prompts", type=int, default=100_000)
    parser.add_argument("--shard-rows", type=int, default=2048)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="Of the random moments.")
    parser.add_argument("--text-encoder", default="words")
    return parser.parse_args()


def _start(folder: Path, name: str, arguments: argparse.Namespace) -> subprocess.Popen[bytes]:
    command = [
        *(sys.executable, "-c", "from unprompt._cli.app import main; main()"),
        *("--plugins-dir", folder / "plugins"),
        *("bank", "build", folder / "prompts.txt", "--output", folder / name),
        *("--text-encoder", arguments.text_encoder),
        *("--shard-rows", str(arguments.shard_rows), "--quiet"),
    ]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)


def _build(folder: Path, name: str, arguments: argparse.Namespace) -> float:
    """Build to the end; gives the seconds that it took."""
    started = time.monotonic()
    if _start(folder, name, arguments).wait():
        sys.exit("unprompt bank build failed")
    return time.monotonic() - started


def _killed(
    folder: Path, seconds: float, rng: random.Random, arguments: argparse.Namespace
) -> list[str]:
    """Kill the building so often, then let it end; gives how far it was each time."""
    how_far: list[str] = []
    bank, longest = folder / "killed", 0.6 * seconds
    while len(how_far) < arguments.kills:
        process = _start(folder, bank.name, arguments)
        time.sleep(rng.uniform(0, longest))
        if process.poll() is not None:  # it was finished before the last kill: once more
            shutil.rmtree(bank)
            how_far, longest = [], 0.7 * longest
            continue
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        done = len(list(bank.glob("shards/*/done.json")))
        how_far.append(f"{done} shards" if (bank / "shards").exists() else "nothing yet")
    _build(folder, bank.name, arguments)
    return how_far


def _content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _same(folder: Path, name: str) -> None:
    """End the program where a bank is not the undisturbed one, byte by byte."""
    whole, other = _content(folder / "whole"), _content(folder / name)
    differing = [file for file in {**whole, **other} if whole.get(file) != other.get(file)]
    if differing:
        sys.exit(f"{name}: {len(differing)} files differ, such as {differing[0]}")
    size = sum(map(len, whole.values()))
    print(f"{name}: all {len(whole)} files ({size:,} bytes) are those of the undisturbed bank")


def _damage(bank: Path, rng: random.Random) -> None:
    """End the program where a flipped bit or a cut file is not found."""
    files = [*bank.glob("shards/*/*.npy"), *bank.glob("shards/*/*.parquet")]
    whole = b""
    for path in files:
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        _expect(path, lambda: verify(bank), "a flipped bit")
        path.write_bytes(whole)
    path.write_bytes(whole[:-1])
    _expect(path, lambda: StoredBank.open(bank), "a cut file")
    print(f"found: a flipped bit in each of {len(files)} files, and a cut file when it is opened")


def _expect(path: Path, act: Callable[[], object], what: str) -> None:
    try:
        act()
    except DataError as error:
        if str(path) in str(error):
            return
    sys.exit(f"{what} in {path} is not found")


if __name__ == "__main__":
    main()
