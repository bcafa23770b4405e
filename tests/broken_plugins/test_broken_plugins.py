"""Whatever is broken in a plugin: the first line names it, nothing else is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Protocol

import pytest

from unprompt import PluginError
from unprompt._registry.plugins import Registry


class Case(Protocol):
    """A broken plugin, as ``conftest.py`` makes it."""

    name: str
    kind: str
    code: int
    line: str
    module_name: str
    label: str
    found: str | None


Command = Callable[..., CompletedProcess[str]]
Install = Callable[[Case], None]

PROGRAM = "from unprompt._cli.app import main; main()"
DATA = {"test": 4, "wordings": True, "prompts": {}, "suffix": ""}
EXPERIMENT: dict[str, Any] = {
    "name": "table",
    "data": {"plugin": "noisy", "options": DATA},
    "ensemble": {
        "text_encoder": {"plugin": "noisy"},
        "members": [{"plugin": "noisy", "options": {"noise": 0.1, "seed": 1}}],
    },
    "search": {"trials": 1, "sampler": "random"},
    "score": {"wordings": 2},
}


def experiment(case: Case | None, folder: Path) -> Path:
    """The YAML file of an experiment that uses a plugin; only working ones without."""
    made: dict[str, Any] = json.loads(json.dumps(EXPERIMENT))
    made["search"]["space"] = {}
    if case and case.kind == "predictor":
        made["ensemble"]["members"][0]["plugin"] = case.name
    elif case and case.kind == "dataset":
        made["data"]["plugin"] = case.name
    elif case and case.kind == "text_encoder":
        made["ensemble"]["text_encoder"]["plugin"] = case.name
    elif case:
        made["observers"] = [case.name]
    path = folder / "table.yaml"
    path.write_text(json.dumps(made))
    return path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "cache"))


def test_the_table_is_long_enough(every_case: Sequence[Case]) -> None:
    assert len(every_case) >= 45
    assert len({case.name for case in every_case}) == len(every_case)
    kinds = {kind: sum(case.kind == kind for case in every_case) for kind in KINDS}
    assert min(kinds.values()) >= 8, kinds


KINDS = ("predictor", "dataset", "text_encoder", "observer")


def test_the_first_line_names_plugin_distribution_version_and_call(
    in_a_run: Case, install: Install, unprompt: Command, tmp_path: Path
) -> None:
    install(in_a_run)
    done = unprompt("run", experiment(in_a_run, tmp_path), "--output", tmp_path / "run")
    first = done.stderr.split("\n")[0]
    assert in_a_run.label in first
    assert in_a_run.line in first.partition(in_a_run.label)[2]
    assert (done.returncode, done.stdout) == (in_a_run.code, "")
    assert in_a_run.code in (1, 2)
    below = "Traceback (most recent call last):\n" in done.stderr
    assert not below or done.returncode == 1


def test_a_training_is_not_given_up_for_an_observer(
    in_a_training: Case,
    install: Install,
    unprompt: Command,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    install(in_a_training)
    done = unprompt("run", experiment(in_a_training, tmp_path), "--output", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "scores.json").exists()
    [line] = [line for line in caplog.messages if in_a_training.label in line]
    assert in_a_training.line in line.partition(in_a_training.label)[2]
    assert line.endswith("it hears no more of the training of 'noisy'")
    assert "Traceback" not in done.stderr


def test_check_finds_it(before_a_run: Case, install: Install) -> None:
    install(before_a_run)
    registry = Registry()
    [claim] = [claim for claim in registry.claims if claim.name == before_a_run.name]
    error = registry.verified(claim).error
    assert error is not None
    assert "\n" not in error
    assert error.startswith(before_a_run.label)
    assert before_a_run.found
    assert before_a_run.found in error


def test_check_finds_nothing_in_a_plugin_that_works(site: Path) -> None:
    registry = Registry()
    result = registry.verified(registry.claim("noisy"))
    assert (result.offers, result.error) == (("predictor", "dataset", "text_encoder"), None)


def test_no_other_command_changes(
    every_case: Sequence[Case], site: Path, install: Install, unprompt: Command, tmp_path: Path
) -> None:
    path = experiment(None, tmp_path)

    def seen() -> list[object]:
        names = json.loads(unprompt("plugins", "--json").stdout)
        done = unprompt("run", path, "--output", tmp_path / f"run-{len(list(tmp_path.iterdir()))}")
        assert done.returncode == 0, done.stderr
        scores = json.loads((Path(done.stdout.splitlines()[-1]) / "scores.json").read_text())
        sentences = [unprompt("--help").stdout, unprompt("config", "validate", path).stdout]
        return [names, scores["test"], scores["weights"], sentences]

    names, *before = seen()
    for case in every_case:
        install(case)
    longer, *after = seen()
    assert after == before
    assert isinstance(names, list)
    assert isinstance(longer, list)
    assert {row["name"] for row in longer} == {row["name"] for row in names} | {
        case.name for case in every_case
    }
    assert not {case.module_name for case in every_case} & set(sys.modules)
    assert not unprompt("plugins").stderr


@pytest.mark.slow
def test_check_of_all_at_once_names_each(
    every_case: Sequence[Case], site: Path, install: Install
) -> None:
    for case in every_case:
        install(case)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "plugins", "--check", "--json"],
        env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 1
    errors = {row["name"]: row["error"] for row in json.loads(done.stdout)}
    for case in every_case:
        error = errors.pop(case.name)
        assert bool(error) == bool(case.found), (case.name, error)
        if case.name != "import-leaves":  # it ends the child, which has no better words
            assert (case.found or "") in (error or "")
    assert set(errors.values()) == {None}


def test_the_table_names_what_the_python_api_raises(
    install: Install, every_case: Sequence[Case], tmp_path: Path
) -> None:
    import unprompt

    [case] = [case for case in every_case if case.name == "predict-stops-in-the-middle"]
    install(case)
    with pytest.raises(PluginError) as caught:
        unprompt.run(experiment(case, tmp_path), output=tmp_path / "run")
    assert type(caught.value.__cause__) is MemoryError
    assert case.label in caught.value.problems[0]
