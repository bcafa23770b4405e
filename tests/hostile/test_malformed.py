"""Files that are damaged, foreign, deep or huge: one clear line, or the right value."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from unprompt import UnpromptError
from unprompt._files.checksums import CHECKSUMS

from .damage import JSON, NOTHING_LEFT, NPY, PARTS_LEFT, SAFETENSORS, Damage, written, wrong_values
from .readers import READERS, Reader

SECONDS = 20
LETTERS = 700
"""Of an error line at most; a path has about 200 of them here."""

MADE = {".json": JSON, ".safetensors": SAFETENSORS, ".npy": NPY}
FEW = ("empty", "noise", "a FIFO", "a link to itself", "half", "not UTF-8", "bits flipped 0")


def _cases() -> dict[str, tuple[str, str, Damage, bool]]:
    """Case -> its reader, the file, what is done to it, and whether it has to be seen."""
    cases = {}
    for name, reader in READERS.items():
        for file in reader.files:
            ways = {**NOTHING_LEFT, **PARTS_LEFT}
            if reader.slow:
                ways = {way: ways[way] for way in FEW}
            ways |= MADE.get(Path(file).suffix, {})
            for way, damage in ways.items():
                seen = way in NOTHING_LEFT or (reader.sealed and file != CHECKSUMS)
                if file == CHECKSUMS and way == "missing":
                    seen = False  # a run of an older version
                cases[f"{name}: {file}: {way}"] = (name, file, damage, seen)
    return cases


CASES = _cases()


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Stop what hangs."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def healthy(
    tmp_path_factory: pytest.TempPathFactory, finished_run: Callable[..., Path]
) -> Callable[[str], Path]:
    """``healthy(reader)``: a folder with its files as they should be."""
    folders: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in folders:
            folder, reader = tmp_path_factory.mktemp("healthy"), READERS[name]
            if reader.make is None:
                shutil.copytree(finished_run(members=2, images=20), folder, dirs_exist_ok=True)
                if not reader.sealed:
                    (folder / "checksums.json").unlink()
            else:
                reader.make(folder)
            folders[name] = folder
        return folders[name]

    return make


def copied(source: Path, target: Path) -> Path:
    """The same files, as links: damage is written to a new one."""
    shutil.copytree(source, target, copy_function=os.link)
    return target


def outcome(reader: Reader, folder: Path, file: str) -> object | None:
    """What the reader gives; None where it ends in lines as they should be."""
    try:
        with within(SECONDS):
            return reader.read(folder)
    except UnpromptError as error:
        assert len(error.problems) <= 3
        for line in error.problems:
            assert line.isprintable(), repr(line)
            assert len(line) <= LETTERS, line
        text = "\n".join(error.problems)
        assert Path(file).name in text or str(folder) in text, text
        return None


@pytest.mark.parametrize("name", READERS)
def test_healthy_files_are_read(name: str, healthy: Callable[[str], Path], tmp_path: Path) -> None:
    assert READERS[name].read(copied(healthy(name), tmp_path / "copy")) is not None


@pytest.mark.parametrize("case", CASES)
def test_a_damaged_file_is_one_line(
    case: str, healthy: Callable[[str], Path], tmp_path: Path
) -> None:
    name, file, damage, seen = CASES[case]
    folder = copied(healthy(name), tmp_path / "copy")
    damage(folder / file)
    value = outcome(READERS[name], folder, file)
    assert value is None or not seen


VALUES = ("bank", "kernel", "phrases", "older run", "vision", "timm", "CLIP", "captioner")


@pytest.mark.parametrize("name", VALUES)
def test_values_of_another_type_are_one_line(
    name: str, healthy: Callable[[str], Path], tmp_path: Path
) -> None:
    reader, tried, refused = READERS[name], 0, 0
    for file in reader.files:
        if not file.endswith(".json") or file == "tokenizer.json":
            continue
        content = json.loads((healthy(name) / file).read_text())
        if not isinstance(content, dict):
            content = {"": content}
        for way, text in wrong_values(content, seed=len(file), each=1 if reader.slow else 4):
            folder = copied(healthy(name), tmp_path / f"{tried}")
            written(lambda _, text=text: text)(folder / file)  # type: ignore[misc]  # bound here
            try:
                refused += outcome(reader, folder, file) is None
            except BaseException as error:
                error.add_note(f"{file}: {way}")
                raise
            shutil.rmtree(folder)
            tried += 1
    assert refused > 0


def test_there_are_at_least_400_malformed_inputs() -> None:
    assert len(CASES) >= 400
    kinds = {case.rpartition(": ")[2] for case in CASES}
    assert kinds >= {*NOTHING_LEFT, *PARTS_LEFT, *JSON, *SAFETENSORS, *NPY}
