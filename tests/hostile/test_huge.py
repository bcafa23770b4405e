"""Small files that declare gigabytes: one line, without taking the memory or the time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

GIB = 1 << 30
SCRIPT = Path(__file__).with_name("huge.py")


@pytest.mark.slow
def test_what_is_huge_is_one_line_within_two_gigabytes_and_twenty_seconds(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) >= 20
    for result in results:
        (line,) = result["problems"]
        assert line.isprintable() and str(tmp_path) in line, result
        assert len(line) < 700, result
        assert result["more_bytes"] < 2 * GIB, result
        assert result["seconds"] < 20, result
