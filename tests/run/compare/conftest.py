"""Runs to compare, made of real cosines without running a member."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from unprompt import Embeddings, cosine, unit
from unprompt._pipeline.evaluation import Evaluation
from unprompt._pipeline.timings import hardware, versions
from unprompt._runs.examples import COLUMNS, SUBSET
from unprompt._runs.leak import Leak
from unprompt._runs.manifest import Manifest
from unprompt._runs.scores import History, Scores, SplitSize
from unprompt._scoring.blend import blend
from unprompt._scoring.intervals import Intervals
from unprompt._search.summary import Polish, SearchSummary
from unprompt.types import DoubleArray

N = 120

IDS = tuple(f"p{i:03}" for i in range(N))

PROMPTS = {name: f'a "red" cat, no. {i // 2}' for i, name in enumerate(IDS)}

GROUPS = {name: f"g{i // 2}" for i, name in enumerate(IDS)}

Columns = Mapping[str, DoubleArray]


def _cosines(seed: int, noise: Sequence[float], weights: Sequence[float]) -> dict[str, DoubleArray]:
    """Cosines of members that predict the targets with noise, and of their blend: ``cosine``."""
    targets = unit(np.repeat(np.random.default_rng(0).normal(size=(N // 2, 24)), 2, axis=0))
    rng = np.random.default_rng(seed)
    rows = [unit(targets + size * unit(rng.normal(size=targets.shape))) for size in noise]
    members = [Embeddings(IDS, member) for member in rows]
    names = ("sharp", "dull")
    columns = {name: cosine(member, targets) for name, member in zip(names, rows, strict=True)}
    return columns | {"cosine": cosine(blend(members, weights).rows, targets)}


def _evaluation(columns: Columns, groups: Mapping[str, str]) -> Evaluation:
    """A split's cosines as the program holds them; the blends other than ours are not compared."""
    return Evaluation(
        intervals=Intervals(list(groups.values())),
        members={name: values for name, values in columns.items() if name != "cosine"},
        equal=columns["cosine"],
        searched=columns["cosine"],
        ensemble=columns["cosine"],
        floor=np.zeros(N),
        oracle=None,
    )


def _scores(name: str, evaluation: Evaluation, members: Sequence[str]) -> Scores:
    """``scores.json`` as the program writes it."""
    split, value = evaluation.scores(), float(evaluation.ensemble.mean())
    weights = dict.fromkeys(members, 1.0)
    return Scores(
        experiment=name,
        weights=weights,
        searched_weights=weights,
        options={},
        search=SearchSummary(
            trials=1,
            best_trial=0,
            best_value=value,
            sampler="tpe",
            study=name,
            storage=None,
            polish=Polish(score=value, gain=0.0, distance=0.0),
            dropped=(),
        ),
        train=SplitSize(images=N, groups=N),
        leak=Leak(
            group_cosine=0.7,
            train_test_max_cosine=0.6,
            near_duplicates={"train_test": 0},
            identical_images={"train_test": 0},
        ),
        holdout=split,
        test=split,
        fitting_cost=None,
        leave_one_out={},
        ablations={},
        history=History(values=(value,), best=(value,)),
        importances={},
    )


def _manifest(name: str, encoder: str) -> Manifest:
    return Manifest(
        command=("unprompt", "run", f"{name}.yaml"),
        experiment_hash=name,
        text_encoder=encoder,
        data_hash=name,
        splits_hash=name,
        members={},
        plugins={},
        versions=versions(),
        hardware=hardware(),
        seconds={},
    )


def _write_run(
    folder: Path,
    columns: Columns,
    *,
    order: Sequence[int] = range(N),
    prompts: Mapping[str, str] = PROMPTS,
    groups: Mapping[str, str] = GROUPS,
    encoder: str = "minilm-1",
    subset: Sequence[str] | None = None,
) -> Path:
    """The files of a run that a comparison reads, rows in the given order."""
    folder.mkdir(parents=True)
    members = [name for name in columns if name != "cosine"]
    with (folder / "images.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*COLUMNS, *([] if subset is None else [SUBSET]), *members])
        for i in order:
            name = IDS[i]
            values = [f"{columns[column][i]:.6f}" for column in members]
            row = [name, prompts[name], "", "", "no", f"{columns['cosine'][i]:.6f}", groups[name]]
            table.writerow([*row, *([] if subset is None else [subset[i]]), *values])
    evaluation = _evaluation(columns, groups)
    scores = _scores(folder.name, evaluation, members)
    (folder / "scores.json").write_text(scores.model_dump_json())
    (folder / "manifest.json").write_text(_manifest(folder.name, encoder).model_dump_json())
    experiment: dict[str, Any] = {"name": folder.name, "data": {"plugin": "painter"}}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    return folder


class Runs:
    """Makes runs of the same 120 images in 60 groups."""

    ids = IDS
    prompts = PROMPTS
    groups = GROUPS

    def cosines(
        self, seed: int, noise: Sequence[float] = (1.0, 1.4), weights: Sequence[float] = (1, 1)
    ) -> dict[str, DoubleArray]:
        """The columns of a run whose members ``sharp`` and ``dull`` have this much noise."""
        return _cosines(seed, noise, weights)

    def write(self, folder: Path, columns: Columns, **changes: Any) -> Path:
        """Write the files of a run that a comparison reads; see `_write_run` for ``changes``."""
        return _write_run(folder, columns, **changes)


@pytest.fixture
def runs() -> Runs:
    """Makes runs; see `Runs`."""
    return Runs()


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return _write_run(tmp_path / "first", _cosines(1, (1.0, 1.4), (1, 1)))


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """Better members in another order of rows."""
    return _write_run(tmp_path / "second", _cosines(2, (1.2, 0.8), (1, 2)), order=range(N)[::-1])
