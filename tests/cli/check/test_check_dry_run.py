"""``unprompt check --dry-run``: every member in a process of its own, without files or network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]

from .conftest import NO_NETWORK


def test_a_dry_run_is_a_line_a_member_each_in_a_process_of_its_own(
    unprompt: Command, light: Callable[..., Path], reports: Callable[[], list[list[object]]]
) -> None:
    path = light({"megabytes": 400}, {"seconds": 0.3}, {})
    done = unprompt("check", path, "--dry-run", "--precision", "float32")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "With random parameters, 2 images, float32, batches of 8:" in done.stdout
    lines = done.stdout.splitlines()[-3:]
    matches = [re.fullmatch(r"(\S+) +([\d.]+) s +([\d.]+) s +([\d.]+) GiB", line) for line in lines]
    assert all(matches), lines
    names, _, each, peaks = zip(*(match.groups() for match in matches if match), strict=True)
    assert names == ("lamp-0", "lamp-1", "lamp-2")
    assert float(each[1]) >= 0.3 > float(each[2])
    assert float(peaks[0]) > float(peaks[1]) + 0.35  # 400 MB are not counted again
    processes = [line[0] for line in reports()]
    assert len({*processes, os.getpid()}) == 4
    assert {line[1] for line in reports()} == {os.getpid()}
    for line in reports():
        assert line[2:] == [2, ["noise-0", "noise-1"], True, True, 8, [512, 512]]


def test_a_dry_run_takes_the_users_images(
    unprompt: Command,
    light: Callable[..., Path],
    reports: Callable[[], list[list[object]]],
    tmp_path: Path,
) -> None:
    (tmp_path / "images").mkdir()
    for name in "abc":
        Image.new("RGB", (30, 20), "red").save(tmp_path / "images" / f"{name}.png")
    words = ["--images", tmp_path / "images", "--batch-size", "3"]
    done = unprompt("check", light({}), "--dry-run", *words)
    assert done.returncode == 0, done.stderr
    assert re.search(r"With random parameters, 3 images, \w+, batches of 3:", done.stdout)
    assert reports()[0][2:] == [3, ["a", "b", "c"], True, True, 3, [30, 20]]


PREDICT = "plugin 'light' (from unprompt-light 1.0): Light.predict"


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("complains", f"FAILED: {PREDICT}: the lamp is broken; {PREDICT}: and so is the cord"),
        ("killed", "FAILED: killed by the system, most likely for memory"),
        ("exits", f"FAILED: {PREDICT} ended the program: SystemExit: os._exit(7)"),
        ("bug", f"FAILED: {PREDICT} raised KeyError: 'lamp'"),
        ("nan", "FAILED: "),
        ("forgets", f"FAILED: {PREDICT}: did not predict each image once: missing 'noise-0'"),
        (
            "talks",
            (
                f"FAILED: {PREDICT}: gave a zero row, which abstains, and still a prompt for "
                "'noise-0', "
            ),
        ),
    ],
)
def test_a_failing_member_is_a_line_and_exit_1_and_the_next_one_runs(
    fault: str,
    line: str,
    unprompt: Command,
    light: Callable[..., Path],
    capfd: pytest.CaptureFixture[str],
) -> None:
    done = unprompt("check", light({"fault": fault}, {}), "--dry-run")
    assert done.returncode == 1
    first, second = done.stdout.splitlines()[-2:]
    assert first.startswith(f"lamp-0  {line}")
    assert re.fullmatch(r"lamp-1 +[\d.]+ s +[\d.]+ s +[\d.]+ GiB", second)
    traceback = "KeyError: 'lamp'" in capfd.readouterr().err
    assert traceback == (fault == "bug")  # a bug keeps its traceback


@pytest.mark.parametrize(("fault", "answered"), [("abstains", 1), ("silent", 0)])
def test_a_member_may_abstain_and_the_line_says_so(
    fault: str, answered: int, unprompt: Command, light: Callable[..., Path]
) -> None:
    done = unprompt("check", light({"fault": fault}, {}), "--dry-run")
    assert done.returncode == 0, done.stdout
    first, second = done.stdout.splitlines()[-2:]
    assert re.fullmatch(rf"lamp-0 .* GiB  answered {answered} of 2", first)
    assert second.endswith(" GiB")


def test_a_dry_run_does_without_missing_files(
    unprompt: Command, light: Callable[..., Path]
) -> None:
    done = unprompt("check", light({"lacks": True}), "--dry-run")
    assert "MISSING" in done.stdout
    assert done.returncode == 0


@pytest.mark.slow
def test_packaged_towers_dry_run_without_files_and_network(small: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "towers").rglob("*.safetensors"):
        path.unlink()
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(NO_NETWORK)
    log = tmp_path / "network"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"PYTHONPATH": str(guard), "NETWORK_LOG": str(log)}
    program = "from unprompt._cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", small, "--dry-run"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    knn, clip = done.stdout.splitlines()[-2:]
    for name, line in (("knn-vit-h", knn), ("clip-l14", clip)):
        match = re.fullmatch(rf"{name} +([\d.]+) s +([\d.]+) s +([\d.]+) GiB", line)
        assert match, line
        assert float(match[3]) > 0.2  # torch alone takes as much
    assert len((tmp_path / "network.guarded").read_text().split()) >= 3  # the command, two members
    assert not log.exists(), log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kaggle-68th", "strong"])
def test_looking_for_hub_files_never_touches_the_network(
    name: str, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    log = tmp_path / "network"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {
        "PYTHONPATH": str(tmp_path),
        "NETWORK_LOG": str(log),
        "HF_HOME": str(tmp_path / "hub"),
    }
    program = "from unprompt._cli.app import main; main()"
    path = root / "ensembles" / f"{name}.yaml"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("MISSING") >= 10
    assert (tmp_path / "network.guarded").is_file()
    assert not log.exists(), log.read_text()
