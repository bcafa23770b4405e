"""The program that kills builds, on few prompts; `experiments/README.md` says what it does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_bank_that_was_killed_is_the_bank_that_was_not(root: Path, tmp_path: Path) -> None:
    program = root / "experiments" / "benchmarks" / "bank_kills.py"
    options = ["--prompts", "3000", "--shard-rows", "300", "--kills", "3"]
    done = subprocess.run(
        [sys.executable, program, tmp_path / "kills", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed with SIGKILL 3 times" in done.stdout
    assert "found: a flipped bit in each of 20 files" in done.stdout
