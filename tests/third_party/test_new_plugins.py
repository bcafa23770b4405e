"""A new plugin of each kind, in a fresh environment, by what its author types."""

from __future__ import annotations

import json
from typing import Any

import pytest

from unprompt._scaffold.write import KINDS


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_passes_its_tests_and_runs_its_example(fresh: Any, kind: str) -> None:
    fresh.run("unprompt", "plugins", "new", "demo", "--kind", kind)
    folder = fresh.home / "demo"
    fresh.pip_install("--no-deps", "-e", ".[test]", cwd=folder)
    summary = fresh.run("python", "-m", "pytest", "-q", cwd=folder).splitlines()[-1]
    assert " passed in " in summary
    assert "failed" not in summary and "skipped" not in summary

    assert "from unprompt-demo 0.1.0" in fresh.run("unprompt", "plugins", "show", "demo")

    run = fresh.run("unprompt", "run", "examples/demo.yaml", cwd=folder).splitlines()[-1]
    scores = json.loads((folder / run / "scores.json").read_text())["test"]
    assert "knn-vit-h" in scores["members"]
    assert ("demo" in scores["members"]) == (kind == "predictor")
    if kind == "observer":
        (line,) = (folder / "examples/runs/scores.jsonl").read_text().splitlines()
        assert json.loads(line)["score"] == scores["ensemble"]["score"]
