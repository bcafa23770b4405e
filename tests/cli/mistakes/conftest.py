"""Commands that go wrong: one line, exit code 2, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from PIL import Image

from unprompt._data.predictions import write_predictions
from unprompt.contracts import Batch
from unprompt.embeddings import Embeddings, unit

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture
def mistake(
    unprompt: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """Run a command that must fail as a user's mistake does; gives the lines on stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path) -> list[str]:
        before = below(tmp_path)
        done = unprompt(*words)
        assert done.returncode == 2, done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert below(tmp_path) == before
        return done.stderr.splitlines()

    return run


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of two good images."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (40, 30), colour).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def truncated(images: Path) -> Path:
    """One more image in `images`, of which half is missing."""
    whole = images / "whole.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    broken = images / "broken.png"
    broken.write_bytes(whole.read_bytes()[:3000])
    whole.unlink()
    return broken


@pytest.fixture
def ensemble(root: Path) -> Path:
    return root / "ensembles" / "embedded.yaml"


def rows_for(*ids: str, dim: int = 384) -> Batch:
    rows = unit(np.random.default_rng(3).normal(size=(len(ids), dim)))
    return Batch(Embeddings(ids, rows), (None,) * len(ids), ((),) * len(ids))


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    path = tmp_path / "submission.csv"
    write_predictions(path, "kaggle", rows_for("a", "b", "c"))
    return path


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.csv"
    path.write_text("image_id,prompt\na,a red wall\nb,two boats at night\nc,an old king\n")
    return path
