"""Several images of one prompt, and a split of the dataset's own that parts them."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from unprompt_painter.draw import draw
from unprompt_painter.world import World

Command = Callable[..., CompletedProcess[str]]
PROMPTS = 30
EXPERIMENT = """\
name: repeated
data: {plugin: pairs, options: {table: pairs.csv}}
ensemble:
  include: ENSEMBLE
search: {trials: 12, sampler: random}
runtime: {batch_size: 7}
"""


@pytest.fixture(scope="module")
def repeated(
    unprompt: Command, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> CompletedProcess[str]:
    """Every family on 30 prompts with two train images each, whose test images repeat them.

    Test has an image of each third prompt, two of them byte for byte train images; holdout has
    other prompts.
    """
    place = tmp_path_factory.mktemp("repeated")
    world, rows = World(3), []

    def add(name: str, prompt: int, split: str, drawn: str) -> None:
        draw(world.scene(prompt), random.Random(drawn), 64).save(place / f"{name}.png")
        rows.append([f"{name}.png", world.prompt(prompt), split])

    for prompt in range(PROMPTS):
        for copy in range(2):
            add(f"train-{prompt}-{copy}", prompt, "train", f"{prompt}/{copy}")
        add(f"holdout-{prompt}", 1000 + prompt, "holdout", f"{prompt}")
        if prompt % 3 == 0:
            copied = prompt < 6  # drawn with the same chances as a train image
            add(f"test-{prompt}", prompt, "test", f"{prompt}/0" if copied else f"{prompt}/new")
    with (place / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "prompt", "split"], *rows])
    path = place / "repeated.yaml"
    path.write_text(EXPERIMENT.replace("ENSEMBLE", str(root / "ensembles" / "embedded.yaml")))
    return unprompt("run", path, "--output", place / "run", "--quiet")


def test_every_family_learns_from_several_images_of_a_prompt(
    repeated: CompletedProcess[str],
) -> None:
    assert repeated.returncode == 0, repeated.stderr
    scores = json.loads(Path(repeated.stdout.splitlines()[-1], "scores.json").read_text())
    assert len(scores["test"]["members"]) == 5
    assert (scores["train"]["images"], scores["test"]["images"]) == (2 * PROMPTS, 10)


def test_what_a_given_split_repeats_is_measured_and_said(repeated: CompletedProcess[str]) -> None:
    folder = Path(repeated.stdout.splitlines()[-1])
    leak = json.loads((folder / "scores.json").read_text())["leak"]
    assert leak["train_test_max_cosine"] == pytest.approx(1)
    assert (leak["near_duplicates"]["train_test"], leak["identical_images"]["train_test"]) == (
        10,
        2,
    )
    assert leak["identical_images"]["train_holdout"] == 0
    assert leak["group_cosine"] == 0.7
    first, second, *_ = [line for line in repeated.stderr.splitlines() if "warning" in line]
    near = "10 of 10 test images have a near-duplicate of their prompt in train (cosine 0.7 or more"
    assert first.startswith(f"warning: {near}, the highest 1.0000)")
    same = "2 of 10 test images are in train byte for byte: scores on test are too good"
    assert second == f"warning: {same} for new prompts"
    line = repeated.stdout.splitlines()[1]
    assert line.endswith("has cosine 1.0000; 2 test images are byte-identical to a train image")
    page = re.sub(r"<[^>]+>", " ", (folder / "report.html").read_text())
    assert near in page
    assert same in page
    assert "1.0000 between train and test" in page
    assert "Near-duplicate prompts are never" not in page


def wide_clip(folder: Path, root: Path) -> None:
    """A small CLIP of random parameters whose embeddings are as wide as the target space."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    shutil.copytree(root / "plugins/unprompt_painter/checkpoints/clip-b", folder)
    (folder / "open_clip_model.safetensors").unlink()
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["embed_dim"] = 384
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")


@pytest.fixture(scope="module")
def queried(
    unprompt: Command, root: Path, repeated: CompletedProcess[str]
) -> CompletedProcess[str]:
    """The same data, with a CLIP that embeds images in the target space, and one that does not."""
    place = Path(repeated.stdout.splitlines()[-1]).parent
    wide_clip(place / "wide", root)
    shipped = root / "plugins/unprompt_painter/checkpoints/clip-a"
    members = "".join(
        f"\n    - {{plugin: {plugin}, options: {{backbone: {{folder: {folder}}}}}}}"
        for plugin, folder in (("knn-vit-g", "wide"), ("knn-vit-h", shipped))
    )
    path = place / "queried.yaml"
    path.write_text(EXPERIMENT.replace("include: ENSEMBLE", f"members:{members}"))
    return unprompt("run", path, "--output", place / "queried", "--quiet")


def test_the_query_itself_is_in_every_table(queried: CompletedProcess[str]) -> None:
    folder = Path(queried.stdout.splitlines()[-1])
    test = json.loads((folder / "scores.json").read_text())["test"]
    query, minus = test["query"], test["paired"]["ensemble_minus_query"]
    assert query["members"] == ["knn-vit-g"]
    assert minus["score"] == pytest.approx(test["ensemble"]["score"] - query["score"])
    (row,) = [line for line in queried.stdout.splitlines() if line.startswith("query itself")]
    assert row.split()[2] == f"{query['score']:.4f}"
    assert f"searched - query itself: {minus['score']:+.4f} [" in queried.stdout
    note = "note: the query itself, the mean of the image embeddings of"
    assert (note in queried.stdout) == (minus["score"] < 0)
    page = (folder / "report.html").read_text()
    assert f"query itself {query['score']:.4f}" in page
    assert "\N{MINUS SIGN} query itself" in page
