"""``python -m unprompt.train RECIPE.yaml``: train a small tower and write it with its card."""

from __future__ import annotations

import argparse
import logging
import shutil
import tempfile
import time
from pathlib import Path

from unprompt._cli.console import guarded, progress_on
from unprompt._files.cache import Cache
from unprompt._files.hashing import file_hash
from unprompt._files.writing import replacing, write_text
from unprompt._members.cached_text import CachedTextEncoder
from unprompt._registry.plugins import Registry
from unprompt.contracts import Dataset, Runtime
from unprompt.towers.precision import resolved
from unprompt.train.captioning import Captioning
from unprompt.train.card import card, start_hash
from unprompt.train.contrastive import Contrastive
from unprompt.train.lessons import Curriculum
from unprompt.train.loop import Trained, train
from unprompt.train.material import Material
from unprompt.train.objective import Objective
from unprompt.train.pictures import picture_tensor
from unprompt.train.recipe import Recipe, RecipeConfig, load_recipe
from unprompt.train.regression import Regression


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m unprompt.train", description=__doc__)
    parser.add_argument("recipe", type=Path, help="a recipe, such as experiments/train/clip-a.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", dest="overrides")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("unprompt").setLevel(logging.INFO)
    with guarded():
        registry = Registry()
        run(load_recipe(arguments.recipe, registry, tuple(arguments.overrides)), registry)


def run(recipe: Recipe, registry: Registry) -> None:
    """Train what the recipe says and write weights and card into the tower's folder."""
    import torch

    config = recipe.config.model_copy(update={"runtime": resolved(recipe.config.runtime)})
    torch.manual_seed(config.seed)
    runtime = Runtime(**config.runtime.model_dump(), progress=progress_on())
    started, start = time.monotonic(), start_hash(recipe)
    dataset: Dataset = registry.build(recipe.dataset.spec, recipe.dataset.options)
    encoder = registry.build(recipe.text_encoder.spec, recipe.text_encoder.options, runtime)
    cached = CachedTextEncoder(encoder, Cache.default())
    objective = make_objective(config, Material.of(dataset, cached, config.wordings))
    images = dataset.images().select([record.image_id for record in dataset.records()])
    pictures = picture_tensor(images, objective.size, runtime.progress)
    trained = train(objective, pictures, config, runtime.progress)
    text = _save(recipe, objective, trained, start, time.monotonic() - started)
    print(text)  # noqa: T201  # the command's result


def make_objective(config: RecipeConfig, material: Material) -> Objective:
    """The recipe's objective, its model with the weights to start from.

    Args:
        config: The recipe.
        material: N prompts, their rows and their words.

    Raises:
        ConfigError: The tower's folder or the teacher's does not fit the recipe.
    """
    objective: Objective
    folder = config.tower.path
    start = config.start.path if config.start else None
    curriculum = Curriculum(
        contrast=config.contrast,
        words=config.words,
        distill=config.distill,
        teacher=config.teacher.path if config.teacher else None,
    )
    if config.objective == "contrastive":
        objective = Contrastive(
            folder,
            material,
            vocabulary=config.vocabulary,
            semantics=config.semantics,
            words=config.words,
            start=start,
        )
    elif config.objective == "regression":
        objective = Regression(folder, material, curriculum)
    else:
        objective = Captioning(
            folder, material, vocabulary=config.vocabulary, curriculum=curriculum, start=start
        )
    if start is not None:
        from safetensors.torch import load_file

        [weights] = start.glob("*.safetensors")
        objective.read(load_file(weights))
    return objective


def _save(
    recipe: Recipe, objective: Objective, trained: Trained, start: str, seconds: float
) -> str:
    """Write weights, tokenizer and card, each file by rename; the card comes last."""
    folder = recipe.config.tower.path
    with tempfile.TemporaryDirectory() as scratch:
        objective.save(trained.model, Path(scratch))
        for made in sorted(Path(scratch).iterdir()):
            with replacing(folder / made.name) as part:
                shutil.copyfile(made, part)
        weights = next(Path(scratch).glob("*.safetensors"))
        text = card(recipe, trained, start=start, weights_hash=file_hash(weights), seconds=seconds)
    write_text(folder / "README.md", text)
    return text


if __name__ == "__main__":
    main()
