"""Artifacts of the families, and of a run: what is damaged or of another tower is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

import unprompt
from unprompt import DataError, unit
from unprompt.bank import PromptBank
from unprompt.train import FoldedHead as Head
from unprompt.types import FloatArray
from unprompt_blip.phrases import Phrases
from unprompt_knn.kernel import Softmax
from unprompt_knn.ridge import Ridge


def rows(count: int, dim: int) -> FloatArray:
    return unit(np.random.default_rng(0).normal(size=(count, dim)))


def line(read: Callable[[Path], object], folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        read(folder)
    (problem,) = caught.value.problems
    return problem.removeprefix(f"{folder}/")


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    PromptBank.of(["a", "b", "c"], rows(3, 8), rows(3, 4)).save(tmp_path)
    return tmp_path


def change(folder: Path, file: str, **tensors: FloatArray | None) -> None:
    state = load_file(folder / file) | {name.replace("__", "."): t for name, t in tensors.items()}
    save_file({name: t for name, t in state.items() if t is not None}, folder / file)


@pytest.mark.parametrize(
    ("tensors", "problem"),
    [
        ({"keys": None}, "holds no 'keys'; it has 'targets'"),
        ({"keys": rows(2, 4)}, "'keys' is of shape (2, 4), not of (3, C)"),
        ({"targets": np.ones(3, np.float32)}, "'targets' is of shape (3,), not of (B, D)"),
        ({"keys": np.ones((3, 4), np.int64)}, "'keys' holds int64, not floating-point numbers"),
        (
            {"targets": np.full((3, 8), np.nan, np.float32)},
            "'targets' holds numbers that are not finite",
        ),
    ],
)
def test_a_bank_of_other_tensors(
    bank: Path, tensors: dict[str, FloatArray | None], problem: str
) -> None:
    change(bank, "bank.safetensors", **tensors)
    assert line(PromptBank.read, bank) == f"bank.safetensors: {problem}"


def test_a_bank_of_another_tower_or_encoder(bank: Path) -> None:
    read = PromptBank.read(bank)
    read.check(bank, target_dim=8, key_dim=4)
    made = "it was made with another tower or text encoder"
    assert line(lambda folder: read.check(folder, target_dim=8, key_dim=5), bank) == (
        f"bank.safetensors: its key rows have 4 numbers, not 5: {made}"
    )
    assert line(lambda folder: read.check(folder, target_dim=9, key_dim=None), bank) == (
        f"bank.safetensors: its target rows have 8 numbers, not 9: {made}"
    )


def test_a_bank_without_prompts_cannot_be_searched(tmp_path: Path) -> None:
    PromptBank.of([], rows(0, 8), rows(0, 4)).save(tmp_path)
    read = PromptBank.read(tmp_path)
    read.check(tmp_path, target_dim=9, key_dim=None)  # a head alone needs none
    problem = line(lambda folder: read.check(folder, target_dim=8, key_dim=4), tmp_path)
    assert problem == "prompts.json: holds no prompts"


def test_prompts_of_another_bank(bank: Path) -> None:
    (bank / "prompts.json").write_text('["a", "b"]')
    problem = line(PromptBank.read, bank)
    assert problem == f"prompts.json: 2 prompts; {bank / 'bank.safetensors'} has 3 rows"


def test_a_head_of_another_tower_or_encoder(tmp_path: Path) -> None:
    head = Head(rows(5, 8), rows(1, 8)[0])
    head.save(tmp_path)
    for features, dim, what in ((6, 8, "takes features of 5"), (5, 9, "predicts rows of 8")):
        problem = line(
            lambda folder, features=features, dim=dim: head.check(  # type: ignore[misc]  # bound
                folder, features=features, target_dim=dim
            ),
            tmp_path,
        )
        assert problem.startswith(f"head.safetensors: {what} numbers, not of ")
    change(tmp_path, "head.safetensors", fc__bias=np.ones(7, np.float32))
    problem = line(Head.read, tmp_path)
    assert problem == "head.safetensors: 'fc.bias' is of shape (7,), not of (8)"


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        ({"mediums": [0, 3]}, "'mediums' names a phrase that is not there"),
        ({"mediums": [-1]}, "'mediums' names a phrase that is not there"),
        ({"mediums": ["a"]}, "tables.mediums.0: Input should be a valid integer"),
        ([], "tables: Input should be an object"),
    ],
)
def test_phrases_of_other_tables(tmp_path: Path, tables: object, problem: str) -> None:
    Phrases(("a", "b", "c"), rows(3, 4), {"mediums": np.array([0, 2])}).save(tmp_path)
    (tmp_path / "phrases.json").write_text(
        json.dumps({"phrases": ["a", "b", "c"], "tables": tables})
    )
    assert line(Phrases.read, tmp_path) == f"phrases.json: {problem}"


@pytest.mark.parametrize(
    "text", ['{"temperature": -1}', '{"penalty": 1}', "{}", '{"temperature": NaN}']
)
def test_a_kernel_of_another_number(tmp_path: Path, text: str) -> None:
    (tmp_path / "kernel.json").write_text(text)
    problem = line(lambda folder: Softmax().fitted(folder / "kernel.json"), tmp_path)
    assert problem.startswith("kernel.json: ")


def test_a_fitted_kernel_is_read(tmp_path: Path) -> None:
    (tmp_path / "kernel.json").write_text('{"penalty": 2.5}')
    assert Ridge(fit=7).fitted(tmp_path / "kernel.json") == Ridge(fit=7, penalty=2.5)


@pytest.fixture
def sealed(finished_run: Callable[..., Path], tmp_path: Path) -> Path:
    """A copy of a finished run with its checksums."""
    return Path(shutil.copytree(finished_run(members=2, images=20), tmp_path / "run"))


def predict(run: Path) -> object:
    return unprompt.load_ensemble(run).predict({"x": _image()}, prompts=False)


def _image() -> Image.Image:
    return Image.new("RGB", (16, 16), "red")


def test_a_changed_artifact_of_a_run_is_named_before_it_is_loaded(sealed: Path) -> None:
    predict(sealed)
    path = sealed / "artifacts/member-1/rows.npy"
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    with pytest.raises(DataError) as caught:
        predict(sealed)
    (problem,) = caught.value.problems
    owner = "member 'member-1' (plugin 'noisy')"
    seal = sealed / "checksums.json"
    assert problem == f"{owner}: {path}: changed since {seal} was written"
    path.write_bytes(changed[:-9])
    with pytest.raises(DataError, match=r"rows\.npy: cut or changed: [\d,]+ bytes, not [\d,]+$"):
        predict(sealed)
    path.unlink()
    with pytest.raises(DataError, match=r"rows\.npy: no such file; it was there"):
        predict(sealed)


def test_an_edited_ensemble_of_a_run_is_used(sealed: Path) -> None:
    path = sealed / "ensemble.yaml"
    text = path.read_text()
    weight = next(part for part in text.splitlines() if part.strip().startswith("weight: "))
    path.write_text(text.replace(weight, f"{weight.partition(':')[0]}: 0.125", 1))
    loaded = unprompt.load_ensemble(sealed)
    assert 0.125 in loaded.weights.values()
    predict(sealed)


def test_a_run_shares_no_file_with_the_cache(
    sealed: Path, finished_run: Callable[..., Path]
) -> None:
    for path in finished_run(members=2, images=20).rglob("*"):
        assert path.is_dir() or path.stat().st_nlink == 1


def test_checksums_name_every_file_of_a_run(sealed: Path) -> None:
    named = json.loads((sealed / "checksums.json").read_text())
    files = {path.relative_to(sealed).as_posix() for path in sealed.rglob("*") if path.is_file()}
    assert set(named) == files - {"checksums.json"}


@pytest.mark.parametrize("command", ["report", "compare", "predict"])
def test_commands_name_the_damaged_file(
    command: str, sealed: Path, unprompt: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    other = Path(shutil.copytree(sealed, tmp_path / "other"))
    file = sealed / ("artifacts/member-0/rows.npy" if command == "predict" else "images.csv")
    file.write_bytes(file.read_bytes()[:-3])
    _image().save(tmp_path / "x.png")
    words = {
        "report": ("report", sealed),
        "compare": ("compare", other, sealed),
        "predict": ("predict", sealed, tmp_path / "x.png", "--output", tmp_path / "p.jsonl"),
    }
    done = unprompt(*words[command])
    assert done.returncode == 2
    (problem,) = done.stderr.splitlines()
    assert f"{file}: cut or changed: " in problem
