"""One life per member: a fresh run loads each member's towers once, a second run none at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unprompt._api import run
from unprompt.towers import Tower
from unprompt_blip.captioner import Captioner

ROOT = Path(__file__).parents[2]
PAINTER = "data: {plugin: painter, options: {seed: 3, images: 240, size: 64}}\n"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Counter[str]:
    """How often each folder of parameters was loaded; the cache is empty at first."""
    counted: Counter[str] = Counter()

    def count(kind: type) -> None:
        load: Callable[..., None] = vars(kind)["__init__"]

        def init(self: Any, config: Any, *arguments: Any) -> None:
            counted[config.folder.path.name] += 1
            load(self, config, *arguments)

        monkeypatch.setattr(kind, "__init__", init)

    for kind in (Tower, Captioner):
        count(kind)
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "cache"))
    return counted


@pytest.mark.slow
def test_a_fresh_run_loads_each_members_towers_once(loads: Counter[str], tmp_path: Path) -> None:
    path = tmp_path / "five.yaml"
    ensemble = f"ensemble: {{include: {ROOT / 'ensembles' / 'embedded.yaml'}}}\n"
    path.write_text(f"name: five\n{PAINTER}{ensemble}search: {{trials: 7}}\n")
    run(path)
    # clip-a is the tower of knn-vit-h and clip-blip, clip-b of knn-vit-g and of knn-vit-h's rerank.
    once = {"clip-a": 2, "clip-b": 2, "vision-a": 1, "vision-b": 1, "blip-a": 1}
    assert loads == once
    run(path)
    assert loads == once  # everything is cached


def test_variants_are_predicted_in_the_same_life(loads: Counter[str], tmp_path: Path) -> None:
    path = tmp_path / "variants.yaml"
    path.write_text(
        f"name: variants\n{PAINTER}"
        "ensemble:\n"
        "  members:\n"
        "  - plugin: knn-vit-h\n"
        "    options:\n"
        "      backbone: {folder: package:unprompt_painter/checkpoints/clip-a}\n"
        "      neighbours: 20\n"
        "search: {trials: 3, space: {knn-vit-h: {neighbours: [20]}}}\n"
    )
    run(path)
    assert loads == {"clip-a": 1}
