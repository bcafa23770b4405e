"""The weights that ship: where they come from, how large they are, and what they never saw."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from unprompt._files.hashing import file_hash
from unprompt._members.training import read_training
from unprompt._recipes.card import parts_row
from unprompt._recipes.recipe import load_recipe
from unprompt._registry.loading import load_experiment
from unprompt._registry.plugins import Registry

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = ROOT / "plugins" / "unprompt_painter" / "checkpoints"
FOLDERS = sorted(path for path in CHECKPOINTS.iterdir() if path.is_dir())
RECIPES = sorted((ROOT / "experiments" / "train").glob("*.yaml"))
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))


def test_there_is_something_to_test() -> None:
    assert {folder.name for folder in FOLDERS} >= {"clip-a", "vision-a"}
    assert RECIPES
    assert EXPERIMENTS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_each_folder_has_a_card_that_fits_its_weights(folder: Path) -> None:
    (weights,) = folder.glob("*.safetensors")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert file_hash(weights) in card
    command = re.search(r"`unprompt train (\S+)`", card)
    assert command, card
    recipe = load_recipe(ROOT / command[1], Registry())
    assert recipe.config.tower.path.resolve() == folder
    assert f"seed: {recipe.dataset.plain()['options']['seed']}" in card
    for row in ("data", "steps", "time", "(score|test, with 95 % intervals)"):
        assert re.search(rf"^\| {row}", card, re.MULTILINE), row


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_each_card_names_the_data_and_seed_of_every_part(folder: Path) -> None:
    recipes = [load_recipe(path, Registry()) for path in RECIPES]
    own = [recipe for recipe in recipes if recipe.config.tower.path.resolve() == folder]
    wanted = {
        (
            recipe.dataset.plain()["options"]["seed"],
            recipe.config.training.seed,
            recipe.config.validation + recipe.config.test,
        )
        for recipe in own
    }
    parts = read_training(folder)
    assert len(parts) == len(own)
    assert {
        (part.options["seed"], part.seed, part.options["images"] - part.images) for part in parts
    } == wanted
    card = (folder / "README.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| all parts, the start's included \| (.+) \|$", card, re.MULTILINE)
    assert row == parts_row(parts)


def test_all_weights_together_are_small() -> None:
    total = sum(path.stat().st_size for path in CHECKPOINTS.rglob("*") if path.is_file())
    assert total < 25_000_000


def test_no_pickles() -> None:
    suffixes = {path.suffix for path in CHECKPOINTS.rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".md", ".safetensors"}


def test_every_recipe_writes_a_folder_that_ships() -> None:
    towers = [load_recipe(path, Registry()).config.tower.path.resolve() for path in RECIPES]
    assert sorted(set(towers)) == FOLDERS


def test_towers_were_trained_in_worlds_that_no_experiment_uses() -> None:
    registry = Registry()
    recipes = [load_recipe(path, registry) for path in RECIPES]
    seeds = {recipe.path.stem: recipe.dataset.plain()["options"]["seed"] for recipe in recipes}
    parts = [load_experiment(path, registry).dataset for path in EXPERIMENTS]
    used = {part.plain()["options"]["seed"] for part in parts if part.plugin == "painter"}
    assert used
    assert min(seeds.values()) > 1000 >= max(used)
    # A text tower's prompts are its CLIP's.
    worlds = [seeds[stem] for stem in seeds if stem not in ("text-a", "text-b")]
    assert len(set(worlds)) == len(worlds), "two towers share a world"
