"""Stdout that is full, closed, or whose reader has gone: one line or none, never a traceback."""

from __future__ import annotations

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., CompletedProcess[str]]

PROGRAM = "from unprompt._cli.app import main; main()"
SAMPLES = ["plugins --json", "--help"]


def shell(line: str, sample: str, **environment: str) -> CompletedProcess[str]:
    """Run an unprompt command with a shell's redirections."""
    return subprocess.run(
        ["bash", "-c", f"{shlex.join([sys.executable, '-c', PROGRAM, *sample.split()])} {line}"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_device_is_one_line(sample: str, unbuffered: str, tmp_path: Path) -> None:
    full = tmp_path / "full"
    os.mknod(full, stat.S_IFCHR | 0o666, os.makedev(1, 7))
    done = shell(f"> {full}", sample, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("stdout")
    assert line.endswith("no space left on device")


@pytest.mark.parametrize("sample", SAMPLES)
def test_closed_streams(sample: str) -> None:
    done = shell(">&-", sample)
    assert (done.returncode, done.stderr) == (0, "")
    done = shell("2>&-", sample)
    assert done.returncode == 0
    assert done.stdout


def test_mistakes_do_not_go_to_stdout_where_stderr_is_closed() -> None:
    done = shell("2>&-", "config validate none.yaml")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_reader_that_is_gone_is_silent(sample: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-c", PROGRAM, *sample.split()]
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_any_file_name_can_be_printed() -> None:
    program = (
        "from unprompt._cli.console import guarded, say\n"
        "with guarded():\n    print('caf\\udce9'); say('caf\\udce9')"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("caf\\udce9\n", "caf\\udce9\n")


def test_predictions_on_stdout(
    small_folder: Path, tmp_path: Path, unprompt: Command, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    images = sorted((small_folder / "images").iterdir())[:2]
    for output in ("-", "/dev/stdout"):
        capfdbinary.readouterr()
        done = unprompt("predict", small_folder, *images, "-o", output)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert done.stderr.endswith("2 images: /dev/stdout\n")
        lines = capfdbinary.readouterr().out.splitlines()
        assert [json.loads(line)["image_id"] for line in lines] == [path.stem for path in images]
    done = unprompt("predict", small_folder, *images, "-o", "-", "--format", "npy")
    assert capfdbinary.readouterr().out.startswith(b"\x93NUMPY")
    assert not (Path.cwd() / "-").exists()
