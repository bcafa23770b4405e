"""A journal whose last line is cut, as a crash or a full disk leaves it, loses nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from unprompt._search.storages import open_storage
from unprompt._search.storages.journal_file import JournalFile
from unprompt.errors import OutputError

from .conftest import write

if TYPE_CHECKING:
    import optuna


def states(storage: optuna.storages.BaseStorage) -> list[tuple[str, object]]:
    """The state and the value of each trial of the one study."""
    (study,) = storage.get_all_studies()
    trials = storage.get_all_trials(study._study_id, deepcopy=False)
    return [(trial.state.name, trial.value) for trial in trials]


def test_cut_at_every_byte_of_its_last_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("whole.journal", 2)
    lines = (folder / "whole.journal").read_bytes().splitlines(keepends=True)
    before, last = b"".join(lines[:-1]), lines[-1]
    (folder / "before.journal").write_bytes(before)
    wanted = states(open_storage("before.journal"))
    assert wanted[-1][0] == "RUNNING"  # the last line finished a trial
    capsys.readouterr()  # what Optuna says of its trials
    for length in range(1, len(last)):
        path = folder / "cut.journal"
        path.write_bytes(before + last[:length])
        assert states(open_storage("cut.journal", existing=True)) == wanted
        assert path.read_bytes() == before + last[:length]  # who looks changes nothing
        assert capsys.readouterr().err == ""
        assert states(open_storage("cut.journal")) == wanted
        assert path.read_bytes() == before
        assert capsys.readouterr().err == (
            "cut.journal: its last line was cut, as by a crash or a full disk, and is dropped "
            f"({length} bytes); the {len(lines) - 1} lines before it are kept\n"
        )


def test_a_first_line_that_is_cut_is_a_journal_that_has_not_begun(folder: Path) -> None:
    write("whole.journal", 1)
    first = (folder / "whole.journal").read_bytes().splitlines(keepends=True)[0]
    for length in range(2, len(first)):
        (folder / "cut.journal").write_bytes(first[:length])
        assert open_storage("cut.journal").get_all_studies() == []


def test_zeros_that_a_power_cut_leaves_are_a_cut_line(folder: Path) -> None:
    write("study.journal", 2)
    whole = (folder / "study.journal").read_bytes()
    (folder / "study.journal").write_bytes(whole + bytes(100_000))
    open_storage("study.journal")
    assert (folder / "study.journal").read_bytes() == whole


def test_a_worker_that_goes_on_writes_behind_the_last_whole_line(folder: Path) -> None:
    """Another worker was killed in the middle of a line, while this one had the journal open."""
    write("study.journal", 2)
    storage, other = open_storage("study.journal"), open_storage("study.journal")
    with (folder / "study.journal").open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"kill')
    assert states(other) == states(storage)
    (study,) = storage.get_all_studies()
    storage.create_new_trial(study._study_id)
    assert len(states(other)) == len(states(open_storage("study.journal"))) == 3
    for line in (folder / "study.journal").read_text().splitlines():
        json.loads(line)


LIMITED = """\
import resource, sys
from pathlib import Path
import optuna
from unprompt._search.storages import open_storage
from unprompt.errors import OutputError
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.create_study(study_name="s", storage=open_storage("study.journal"))
size = Path("study.journal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 3000, resource.RLIM_INFINITY))
try:
    for trial in (study.ask() for _ in range(1000)):
        study.tell(trial, trial.suggest_float("x", 0, 1))
except OutputError as error:
    print(*error.problems)
"""


def test_a_line_that_does_not_fit_is_taken_back(folder: Path) -> None:
    """A limit for files ends a write in the middle of a line, as a full disk does."""
    command = [sys.executable, "-c", LIMITED]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout == (
        "study.journal: file too large: run the same command again, which goes on from what is "
        "kept\n"
    ), done.stderr
    content = (folder / "study.journal").read_bytes()
    assert content.endswith(b"\n")
    assert len(states(open_storage("study.journal"))) > 3


FILLED = """\
import sys
from pathlib import Path
from unprompt._search.storages import open_storage
from unprompt.errors import UnpromptError
from tests.search.test_study import load, run
disk, storage, room = Path("disk"), sys.argv[1], int(sys.argv[2])
(disk / "filler").write_bytes(bytes(room))
try:
    run(disk, storage=storage, trials=2000, sampler="random")
except UnpromptError as error:
    print(*error.problems)
(disk / "filler").unlink()
finished = [trial.value for trial in load(storage).trials if trial.value is not None]
print(len(finished))
again = run(disk, storage=storage, trials=len(finished) + 2, sampler="random")
print(again.summary.trials, set(finished) <= set(again.history))
"""


@pytest.mark.parametrize(
    ("form", "size", "room"),
    [("FOLDER/study.journal", "64k", 40_000), ("sqlite:///FOLDER/study.db", "512k", 300_000)],
)
def test_a_full_disk_is_one_line_and_loses_no_finished_trial(
    form: str, size: str, room: int, folder: Path
) -> None:
    """On a small disk that only the process sees; needs root."""
    (folder / "disk").mkdir()
    storage = form.replace("FOLDER", str(folder / "disk"))
    mount = f'mount -t tmpfs -o size={size} tmpfs disk || exit 77; exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", mount, "sh", sys.executable, "-c", FILLED]
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    done = subprocess.run(
        [*words, storage, str(room)], check=False, capture_output=True, text=True, env=environment
    )
    if done.returncode in (1, 77) and ("unshare" in done.stderr or "mount" in done.stderr):
        pytest.skip("only root may mount a small disk")
    line, finished, end = done.stdout.splitlines()
    assert line.startswith(f"{storage}: the disk is full: make room, then run the same command")
    assert int(finished) > 5
    assert end == f"{int(finished) + 2} True"


def test_a_journal_that_is_gone_is_one_line(folder: Path) -> None:
    write("study.journal", 1)
    storage = open_storage("study.journal")
    (folder / "study.journal").unlink()
    with pytest.raises(OutputError, match=r"^study\.journal: no such file or directory: run the"):
        storage.get_all_studies()


def test_what_was_read_is_not_read_again(folder: Path) -> None:
    write("study.journal", 2)
    file = JournalFile(folder / "study.journal", "study.journal")
    first = list(file.read_logs(0))
    assert list(file.read_logs(len(first))) == []
    assert list(file.read_logs(0)) == first
    assert list(file.read_logs(3)) == first[3:]
    file.append_logs([{"op_code": 10}, {"op_code": 10}])
    assert list(file.read_logs(len(first))) == [{"op_code": 10}] * 2
