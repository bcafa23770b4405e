"""What `unprompt score` says of how many groups there are, and what `score` blocks may hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from unprompt import unit

Command = Callable[..., CompletedProcess[str]]
THINGS = ["a red cat", "two boats", "a king", "snow", "the moon", "a violin", "bread", "a dragon"]
THINGS += ["an old map", "seven doors", "green tea", "a steam engine"]


def scored(unprompt: Command, folder: Path, prompts: list[str]) -> CompletedProcess[str]:
    """Random rows against these prompts."""
    rows = unit(np.random.default_rng(0).normal(size=(len(prompts), 384)))
    lines = [
        json.dumps({"image_id": str(i), "embedding": row.tolist()}) for i, row in enumerate(rows)
    ]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    table = "".join(f"{i},{prompt}\n" for i, prompt in enumerate(prompts))
    (folder / "prompts.csv").write_text(f"image_id,prompt\n{table}")
    done = unprompt("score", folder / "rows.jsonl", folder / "prompts.csv", "--quiet")
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    ("prompts", "sizes", "caution"),
    [
        (["a red cat"] * 5, "(no interval; 5 images in 1 group)", "all images are of one group"),
        (["a red cat"] * 5 + ["snow"], "(no interval; 6 images in 2 groups)", "are of 2 groups of"),
        (THINGS[:4], "; 4 images in 4 groups)", "4 groups of near-duplicate prompts are few"),
        (THINGS, "; 12 images in 12 groups)", ""),
    ],
)
def test_few_groups_are_said(
    unprompt: Command, tmp_path: Path, prompts: list[str], sizes: str, caution: str
) -> None:
    done = scored(unprompt, tmp_path, prompts)
    assert done.stdout.endswith(f"{sizes}\n")
    assert ("95 % interval" in done.stdout) == ("no interval" not in sizes)
    assumed, *cautions = done.stderr.splitlines()
    assert "does not say which text encoder it was predicted for: minilm is assumed" in assumed
    if caution:
        (line,) = cautions
        assert line.startswith("caution: ")
        assert caution in line
    else:
        assert not cautions


@pytest.mark.parametrize(
    ("block", "key"),
    [
        ("{bootstrap: 1e12}", "score.bootstrap"),
        ("{bootstrap: 1000000000000}", "score.bootstrap"),
        ("{wordings: 100000000}", "score.wordings"),
        ("{wordings: 1}", "score.wordings"),
        ("{samples: 5}", "score.samples"),
    ],
)
def test_a_number_out_of_bounds_is_one_line_with_its_place(
    unprompt: Command, tmp_path: Path, block: str, key: str
) -> None:
    path = tmp_path / "e.yaml"
    head = "name: e\ndata: {plugin: painter, options: {seed: 1, images: 60}}\n"
    path.write_text(f"{head}ensemble: {{members: [{{plugin: knn-vit-h}}]}}\nscore: {block}\n")
    done = unprompt("run", path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{path}:4:")
    assert key in line
