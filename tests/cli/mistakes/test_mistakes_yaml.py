"""Mistakes in YAML files: a line each, all at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]


FIVE_MISTAKES = """\
name: wrong
data:
  plugin: paintr
  split: {train: 0.8, holdout: 0.1, test: 0.1}
ensemble:
  members:
  - plugin: knn-vit-h
    weight: -1
    options: {neighbors: 5}
search:
  trials: many
colour: blue
"""


@pytest.mark.parametrize("command", [("config", "validate"), ("config", "show"), ("run",)])
def test_five_mistakes_give_five_lines(
    command: tuple[str, ...], mistake: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "wrong.yaml").write_text(FIVE_MISTAKES)
    options = "ensemble.members.0.options"
    assert mistake(*command, "wrong.yaml") == [
        "wrong.yaml:3:3: data.plugin: unknown plugin 'paintr'; did you mean 'painter'?",
        "wrong.yaml:8:5: ensemble.members.0.weight: should be at least 0, got -1",
        f"wrong.yaml:9:15: {options}.neighbors: unknown key; did you mean 'neighbours'?",
        "wrong.yaml:11:3: search.trials: should be a whole number, got the text 'many'",
        "wrong.yaml:12:1: colour: unknown key",
    ]


@pytest.mark.parametrize("command", [("config", "validate"), ("run",)])
def test_missing_yaml(command: tuple[str, ...], mistake: Callable[..., list[str]]) -> None:
    assert mistake(*command, "none.yaml") == [
        "none.yaml: cannot be read: no such file or directory"
    ]


def test_validate_reports_all_files_and_still_says_which_are_good(
    unprompt: Command, ensemble: Path, tmp_path: Path
) -> None:
    (tmp_path / "wrong.yaml").write_text(FIVE_MISTAKES)
    done = unprompt("config", "validate", tmp_path / "wrong.yaml", ensemble, tmp_path / "none.yaml")
    assert done.returncode == 2
    assert done.stdout == f"{ensemble}: a valid ensemble\n"
    assert len(done.stderr.splitlines()) == 6
