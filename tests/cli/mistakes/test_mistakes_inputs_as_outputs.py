"""``predict -o`` never takes the place of what the command reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., CompletedProcess[str]]
Mistake = Callable[..., list[str]]

READ = ": this command reads it; choose another output"


@pytest.fixture
def run(small_folder: Path, tmp_path: Path) -> Path:
    """A run's folder that may be damaged."""
    return Path(shutil.copytree(small_folder, tmp_path / "run"))


@pytest.mark.parametrize("given", ["images", "images/a.png", "images/*.png"])
@pytest.mark.parametrize("output", ["images/a.png", "link", "hard"])
def test_an_image(
    given: str, output: str, mistake: Mistake, ensemble: Path, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("images/a.png")
    os.link(images / "a.png", tmp_path / "hard")
    before = (images / "a.png").read_bytes()
    words = ["predict", ensemble, given, "--format", "jsonl", "-o", output]
    assert mistake(*words) == [output + READ]
    assert (images / "a.png").read_bytes() == before


def test_yaml_files(mistake: Mistake, ensemble: Path, images: Path, tmp_path: Path) -> None:
    base = Path(shutil.copy(ensemble, tmp_path / "base.yaml"))
    text = base.read_text().replace("../", f"{ensemble.parents[1]}/")
    base.write_text(text)
    (tmp_path / "own.yaml").write_text("include: base.yaml\n")
    for name in ("own.yaml", "base.yaml"):
        before = Path(name).read_text()
        words = ["predict", "own.yaml", images, "--format", "npy", "-o", name]
        assert mistake(*words) == [name + READ]
        assert Path(name).read_text() == before


def test_files_of_a_run(mistake: Mistake, images: Path, run: Path) -> None:
    names = ["scores.json", "ensemble.yaml", "predictions/ensemble.test.parquet", "report.html"]
    for ensemble in (run, run / "ensemble.yaml"):
        for name in names:
            before = (run / name).read_bytes()
            words = ["predict", ensemble, images, "--format", "jsonl", "-o", run / name]
            assert mistake(*words) == [f"{run / name}{READ}"]
            assert (run / name).read_bytes() == before


def test_a_folder_that_the_ensemble_names(mistake: Mistake, images: Path, run: Path) -> None:
    artifact = next((run / "artifacts").iterdir())
    for name in ("new.jsonl", next(path.name for path in artifact.iterdir() if path.is_file())):
        output = artifact / name
        (line,) = mistake("predict", run, images, "--format", "jsonl", "-o", output)
        assert line == (
            f"{output}: lies in {artifact}, which this command reads; choose another output"
        )


def test_the_table_of_a_bank(mistake: Mistake, images: Path, tmp_path: Path) -> None:
    (tmp_path / "bank.csv").write_text("prompt\na red wall\n")
    (tmp_path / "knn.yaml").write_text(
        "members: [{plugin: knn-vit-h, options: {bank: {prompts: bank.csv}}}]\n"
    )
    assert mistake("predict", "knn.yaml", images, "-o", "bank.csv") == ["bank.csv" + READ]
    assert Path("bank.csv").read_text() == "prompt\na red wall\n"


def test_an_older_output_in_a_runs_folder_is_replaced(
    unprompt: Command, images: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    for _ in range(2):
        done = unprompt("predict", ".", images / "a.png", "-o", "./out.jsonl", "--no-edit")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "1 image: out.jsonl\n"
    done = unprompt("predict", ".", images / "a.png", "-o", "missing/../x.csv")
    assert done.stdout == f"1 image: {run.resolve() / 'x.csv'}\n"
    assert Path("x.csv").read_text().startswith("imgId_eId")
