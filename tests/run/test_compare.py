"""Runs against each other: on the same images, joined by id, or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import yaml

from unprompt import DataError, Embeddings, cosine, unit
from unprompt._cli import commands
from unprompt._config.models import ScoreConfig
from unprompt._pipeline.evaluation import Evaluation
from unprompt._pipeline.timings import hardware, versions
from unprompt._runs.compare import compare
from unprompt._runs.manifest import Manifest
from unprompt._runs.scores import History, Leak, Optimism, Scores, SplitSize
from unprompt._scoring.blend import blend
from unprompt._scoring.intervals import Bootstrap, score
from unprompt._search.summary import Polish, SearchSummary
from unprompt.types import DoubleArray

N = 120
IDS = tuple(f"p{i:03}" for i in range(N))
PROMPTS = {name: f'a "red" cat, no. {i // 2}' for i, name in enumerate(IDS)}
GROUPS = {name: f"g{i // 2}" for i, name in enumerate(IDS)}
Columns = Mapping[str, DoubleArray]


def cosines(seed: int, noise: Sequence[float], weights: Sequence[float]) -> dict[str, DoubleArray]:
    """Real ones: members' of targets seen through noise, and the blend's as ``cosine``."""
    targets = unit(np.repeat(np.random.default_rng(0).normal(size=(N // 2, 24)), 2, axis=0))
    rng = np.random.default_rng(seed)
    rows = [unit(targets + size * unit(rng.normal(size=targets.shape))) for size in noise]
    members = [Embeddings(IDS, one) for one in rows]
    names = ("sharp", "dull")
    found = {name: cosine(one, targets) for name, one in zip(names, rows, strict=True)}
    return found | {"cosine": cosine(blend(members, weights).rows, targets)}


def evaluation_of(columns: Columns, config: ScoreConfig) -> Evaluation:
    """A split's cosines as the program holds them; the blends other than ours are not compared."""
    return Evaluation(
        bootstrap=Bootstrap(list(GROUPS.values()), config.bootstrap, config.seed),
        members={name: values for name, values in columns.items() if name != "cosine"},
        equal=columns["cosine"],
        searched=columns["cosine"],
        ensemble=columns["cosine"],
        floor=np.zeros(N),
        oracle=None,
    )


def scores_of(name: str, evaluation: Evaluation, members: Sequence[str]) -> Scores:
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
        leak=Leak(train_test_max_cosine=0.7),
        holdout=split,
        test=split,
        optimism=Optimism(score=0.0),
        leave_one_out={},
        ablations={},
        history=History(values=(value,), best=(value,)),
        importances={},
    )


def manifest_of(name: str, encoder: str) -> Manifest:
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


def write_run(
    folder: Path,
    columns: Columns,
    *,
    order: Sequence[int] = range(N),
    prompts: Mapping[str, str] = PROMPTS,
    groups: Mapping[str, str] = GROUPS,
    encoder: str = "minilm-1",
    scoring: Mapping[str, int] | None = None,
) -> Path:
    """The files of a run that a comparison reads, rows in the given order."""
    folder.mkdir(parents=True)
    members = [name for name in columns if name != "cosine"]
    with (folder / "images.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image_id", "prompt", "predicted", "cosine", "group", *members])
        for i in order:
            name = IDS[i]
            values = [f"{columns[column][i]:.6f}" for column in members]
            row = [name, prompts[name], "", f"{columns['cosine'][i]:.6f}", groups[name]]
            table.writerow([*row, *values])
    evaluation = evaluation_of(columns, ScoreConfig.model_validate(dict(scoring or {})))
    scores = scores_of(folder.name, evaluation, members)
    (folder / "scores.json").write_text(scores.model_dump_json())
    (folder / "manifest.json").write_text(manifest_of(folder.name, encoder).model_dump_json())
    experiment: dict[str, Any] = {"name": folder.name, "data": {"plugin": "painter"}}
    experiment |= {"score": dict(scoring)} if scoring else {}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    return folder


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return write_run(tmp_path / "first", cosines(1, (1.0, 1.4), (1, 1)))


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """Better members in another order of rows."""
    return write_run(tmp_path / "second", cosines(2, (1.2, 0.8), (1, 2)), order=range(N)[::-1])


def test_differences_are_paired_by_id(first: Path, second: Path) -> None:
    found = compare([first, second])
    one, two = cosines(1, (1.0, 1.4), (1, 1)), cosines(2, (1.2, 0.8), (1, 2))
    groups = [GROUPS[name] for name in IDS]
    line = found.runs[1]
    for standing, values, against in (
        (line.ensemble, two["cosine"], one["cosine"]),
        (line.best_member, two["dull"], one["sharp"]),
    ):
        expected = score(values - against, groups, samples=1000, seed=0)
        assert standing.score == pytest.approx(values.mean(), abs=1e-6)
        assert standing.minus_first is not None
        ends = (standing.minus_first.score, standing.minus_first.low, standing.minus_first.high)
        assert ends == pytest.approx((expected.score, expected.low, expected.high), abs=2e-6)
    assert (found.images, found.groups) == (N, N // 2)
    assert [one.best_member.name for one in found.runs] == ["sharp", "dull"]
    assert found.runs[0].ensemble.minus_first is None
    assert found.runs[0].best_member.minus_first is None


def test_the_first_run_says_how_intervals_are_made(tmp_path: Path, second: Path) -> None:
    scoring = {"bootstrap": 150, "seed": 7}
    first = write_run(tmp_path / "f", cosines(1, (1.0, 1.4), (1, 1)), scoring=scoring)
    found = compare([first, second])
    assert (found.bootstrap, found.seed) == (150, 7)
    back = compare([second, first])
    assert (back.bootstrap, back.seed) == (1000, 0)
    ahead, behind = found.runs[1].ensemble.minus_first, back.runs[1].ensemble.minus_first
    assert ahead is not None
    assert behind is not None
    assert ahead.score == pytest.approx(-behind.score)
    assert ahead.low != pytest.approx(-behind.high, abs=1e-9)  # other draws


def test_three_runs_as_a_table(
    first: Path, second: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = cosines(1, (1.0, 1.4), (1, 1))
    shaken = {
        name: values + np.where(np.arange(N) % 4 < 2, 1e-4, -1e-4) for name, values in same.items()
    }
    third = write_run(tmp_path / "third", shaken)
    commands.compare([second, first, third, write_run(tmp_path / "fourth", same)], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "120 test images in 60 groups, the same in all runs"
    assert lines[2].split() == ["test", "minus", "first", "95", "%", "interval"]
    assert lines[3].startswith(f"{second}  ensemble")
    assert lines[3].endswith(f"{cosines(2, (1.2, 0.8), (1, 2))['cosine'].mean():.4f}")
    assert "best member: dull" in lines[4]
    assert lines[5].startswith(f"{first} ")
    assert lines[5].endswith("]  worse")
    assert lines[6].endswith("]  worse")
    assert len(lines) == 11
    commands.compare([first, third, second], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[5].endswith("]  no clear difference")
    assert lines[7].endswith("]  better")


def test_json_says_the_same(first: Path, second: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands.compare([first, second], as_json=True)
    said = json.loads(capsys.readouterr().out)
    found = compare([first, second])
    versus = found.runs[1].ensemble.minus_first
    assert versus is not None
    assert said["runs"][1]["ensemble"] == {
        "name": "ensemble",
        "score": found.runs[1].ensemble.score,
        "minus_first": {
            "score": versus.score,
            "ci95": list(versus.ci95),
            "verdict": "better",
        },
    }
    assert said["runs"][0]["best_member"]["name"] == "sharp"
    assert said["runs"][0]["best_member"]["minus_first"] is None
    assert [run["run"] for run in said["runs"]] == [str(first), str(second)]
    assert [run["experiment"] for run in said["runs"]] == ["first", "second"]
    assert (said["images"], said["groups"], said["bootstrap"], said["seed"]) == (N, 60, 1000, 0)


def test_few_groups_are_too_few_to_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = {name: f"g{i % 3}" for i, name in enumerate(IDS)}
    runs = [
        write_run(tmp_path / str(i), cosines(i, (noise, 1.4), (1, 1)), groups=few)
        for i, noise in enumerate((1.0, 0.5))
    ]
    commands.compare(runs, as_json=False)
    out = capsys.readouterr().out.splitlines()
    assert out[5].endswith("]  3 groups are too few to tell")


def test_a_run_may_have_other_groups_and_the_first_ones_count(tmp_path: Path, first: Path) -> None:
    coarse = {name: f"g{i // 30}" for i, name in enumerate(IDS)}
    other = write_run(tmp_path / "o", cosines(2, (0.8, 1.4), (1, 1)), groups=coarse)
    assert compare([first, other]).groups == 60
    assert compare([other, first]).groups == 4


# What is refused


def refused(*folders: Path) -> str:
    with pytest.raises(DataError) as caught:
        compare(folders)
    (line,) = caught.value.problems
    assert "\n" not in line
    return line


def test_fewer_than_two_runs(first: Path) -> None:
    assert refused() == "compare needs two runs or more, not 0"
    assert refused(first) == "compare needs two runs or more, not 1"


def test_the_same_run_twice(first: Path, second: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = first / ".." / "first"
    assert refused(first, second, again) == f"{again}: the same run twice"
    monkeypatch.chdir(first)
    assert refused(Path("."), first) == f"{first}: the same run twice"


def test_folders_that_are_no_runs(first: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "nothing"):
        line = refused(first, tmp_path / name)
        assert line.startswith(f"{tmp_path / name}: no ")
        assert "no finished run" in line
    line = refused(first, first / "images.csv")
    assert line.startswith(f"{first / 'images.csv'}: ")


def test_a_run_without_its_table_of_images(first: Path, second: Path) -> None:
    (second / "images.csv").unlink()
    assert refused(first, second).startswith(f"{second / 'images.csv'}: ")


def test_other_images(first: Path, tmp_path: Path) -> None:
    part = write_run(tmp_path / "part", cosines(2, (1.0, 1.4), (1, 1)), order=range(2, N))
    assert refused(first, part) == (
        f"{first} and {part} cannot be compared: only one of them has the test images "
        "'p000', 'p001'"
    )
    assert "only one of them has" in refused(part, first)


def test_other_prompts_for_the_same_images(first: Path, tmp_path: Path) -> None:
    other = write_run(
        tmp_path / "o", cosines(2, (1.0, 1.4), (1, 1)), prompts=PROMPTS | {"p005": "a blue dog"}
    )
    assert refused(first, other) == (
        f"{first} and {other} cannot be compared: other prompts for the test images 'p005'"
    )


def test_another_text_encoder(first: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "o", cosines(2, (1.0, 1.4), (1, 1)), encoder="mpnet-2")
    assert refused(first, other) == (
        f"{first} and {other} cannot be compared: their text encoders differ (minilm-1, mpnet-2)"
    )


def test_broken_tables_of_images(first: Path, second: Path) -> None:
    path = second / "images.csv"
    whole = path.read_text(encoding="utf-8")
    head, row, *rest = whole.splitlines()

    path.write_text("\n".join([head.replace("cosine", "cos"), row, *rest]), encoding="utf-8")
    assert refused(first, second) == f"{path}: no column 'cosine'"

    path.write_text("\n".join([head.replace("dull", "bright"), row, *rest]), encoding="utf-8")
    assert refused(first, second) == f"{path}: no column 'dull'"

    path.write_text("\n".join([head, row, row, *rest]), encoding="utf-8")
    assert refused(first, second) == f"{path}: repeated ids: 'p119'"

    path.write_text("\n".join([head, *rest, row.rpartition(",")[0] + ",much"]), encoding="utf-8")
    line = refused(first, second)
    assert line == f"{path}: row 120: column 'dull' holds 'much', no cosine"

    path.write_text("\n".join([head, row + ",1", *rest]), encoding="utf-8")
    assert refused(first, second) == f"{path}:2: 8 fields, but the header has 7"


def test_a_broken_experiment(first: Path, second: Path) -> None:
    (first / "experiment.yaml").write_text(
        "name: first\ndata: {plugin: painter}\nscore: {bootstrap: 1}\n"
    )
    line = refused(first, second)
    assert line.startswith(f"{first / 'experiment.yaml'}: score.bootstrap: ")


def test_a_mistake_has_exit_code_two(
    unprompt: Callable[..., CompletedProcess[str]], first: Path, second: Path
) -> None:
    done = unprompt("compare", first, first)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip().endswith(f"{first}: the same run twice")
    done = unprompt("compare", first, second)
    assert done.returncode == 0
    assert done.stdout.startswith("120 test images in 60 groups")
