"""`--no-edit` and `edit_prompts: false`: the nearest of the members' texts, as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from tests.noisy_plugin import Drawn

import unprompt

Command = Callable[..., CompletedProcess[str]]


def test_a_run_without_editing(command: Command, composing_run: Path, tmp_path: Path) -> None:
    edited, yaml = unprompt.load_run(composing_run), composing_run / "experiment.yaml"
    done = command("run", yaml, "--no-edit", "--output", tmp_path / "plain")
    assert done.returncode == 0, done.stderr
    plain = unprompt.load_run(tmp_path / "plain")
    texts, others = plain.scores.texts, edited.scores.texts
    assert texts and others
    assert texts.composed == 0 < others.composed
    assert texts.shown == texts.nearest == others.nearest
    assert texts.readback.score < others.readback.score
    assert plain.scores.test == edited.scores.test  # the embeddings are the same
    assert "edit_prompts: false" in (tmp_path / "plain" / "experiment.yaml").read_text()


def test_no_edit_at_predict(command: Command, composing_run: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    drawn = Drawn({"a": "a fox in a city by ben", "b": "a king in a cave by ben"})
    for name in drawn.prompts:
        drawn.open(name).save(images / f"{name}.png")
    lines = {}
    for name, flags in {"edited": [], "plain": ["--no-edit"]}.items():
        output = tmp_path / f"{name}.jsonl"
        done = command("predict", composing_run, images, "-o", output, *flags)
        assert done.returncode == 0, done.stderr
        lines[name] = [json.loads(line) for line in output.read_text().splitlines()]
    assert len(lines["plain"]) == len(lines["edited"]) == 2
    for plain, edited in zip(lines["plain"], lines["edited"], strict=True):
        assert not plain["composed"]
        assert plain["prompt"] in [piece["text"] for piece in plain["evidence"]]
        assert edited["composed"]
        assert edited["readback"] > plain["readback"]
        assert plain["embedding"] == edited["embedding"]
        assert plain["evidence"] == edited["evidence"]
