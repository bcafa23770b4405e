"""A process is known again, and known to be gone, also where another one has its number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from unprompt._search.owner import Owner
from unprompt._search.scratch import OWNER, PREFIX, scratch_folder, sweep


def test_this_process_is_not_gone_and_is_known_again() -> None:
    owner = Owner.of()
    assert Owner.parse(str(owner)) == owner
    assert owner.pid == os.getpid()
    assert owner.is_gone() is False
    assert owner.label == f"process {os.getpid()} on {owner.host}"


def test_a_killed_process_is_gone_also_before_its_parent_asks() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        owner = Owner.of(process.pid)
        assert owner.is_gone() is False
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and nobody has asked
        assert owner.is_gone() is True
    assert owner.is_gone() is True


def test_another_process_with_the_same_number_is_not_it() -> None:
    assert replace(Owner.of(), started="1").is_gone() is True


def test_of_another_machine_nothing_is_known() -> None:
    far = replace(Owner.of(), host="far", machine="0123456789ab", pid=1 << 40)
    assert far.is_gone() is None
    assert replace(far, machine="").is_gone() is None
    assert replace(Owner.of(), pid=1 << 40).is_gone() is not None


@pytest.mark.parametrize(
    "text", [None, "", "host:12", "a:b:c:d", "a:b:c:-1", "a:b:c:", 5, "²:²:²:²"]
)
def test_other_texts_are_no_process(text: object) -> None:
    assert Owner.parse(text) is None


def dead() -> Owner:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        owner = Owner.of(process.pid)
        process.kill()
    return owner


def test_only_our_own_folders_of_processes_that_are_gone_are_swept(tmp_path: Path) -> None:
    def make(name: str, owner: str | None, *names: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        if owner is not None:
            (folder / OWNER).write_text(owner)
        for other in names:
            (folder / other).write_text("x")
        return folder

    gone = str(dead())
    kept = [
        make(f"{PREFIX}alive", str(Owner.of()), "lock"),
        make(f"{PREFIX}unmarked", None, "lock"),
        make(f"{PREFIX}empty", None),
        make(f"{PREFIX}with-a-letter", gone, "lock", "letter.txt"),
        make(f"{PREFIX}far", "far:0123456789ab:77:4711"),
        make("unprompt-other", gone),
    ]
    target = make("target", gone, "lock")
    link = tmp_path / f"{PREFIX}link"
    link.symlink_to(target)
    swept = [make(f"{PREFIX}a", gone, "lock"), make(f"{PREFIX}b", gone)]
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([*kept, target, link])
    assert all(not folder.exists() for folder in swept)
    assert sorted(os.listdir(target)) == ["lock", OWNER]


def test_a_folder_of_this_process_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch_folder() as folder:
        (folder / "lock").touch()
        sweep(tmp_path)
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []
