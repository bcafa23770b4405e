"""How near the packaged towers' training prompts come to an experiment's test prompts.

Encodes the prompts of every world that a recipe of ``experiments/train`` trained on (without the
images that the recipe held out) and the experiment's test prompts with its text encoder, and counts
the test prompts that have a training prompt at or above each cosine: by tower, all of its recipes
together, and over all towers; for all test prompts, and for each subset that the dataset names,
such as the painter's seen and unseen combinations. It also counts the training images of each
subset, and stops where a recipe's data says ``unseen: 0`` and has an unseen one. The numbers in the
model cards are this script's.

Training prompts are encoded by the encoder's fast one, where it has one: cosines are then right to
about 1e-4. Each world's counts are printed as they come and kept in the cache, so that a run that
was ended goes on where it was. ``--cards`` writes each
tower's counts into its model card.

    python experiments/benchmarks/training_prompts.py [EXPERIMENT] [--cards]
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from unprompt._config.models import RuntimeConfig
from unprompt._members.context import Context
from unprompt._pipeline.dataset import open_dataset
from unprompt._pipeline.setup import make_context
from unprompt._pipeline.timings import Timings
from unprompt._recipes.recipe import load_recipe
from unprompt._registry.loading import load_experiment
from unprompt._registry.parts import Part
from unprompt._registry.plugins import Registry
from unprompt.contracts import Dataset, Record, TextEncoder
from unprompt.types import BoolArray, FloatArray, PlainData

EXPERIMENTS = Path(__file__).parents[1]
CHECKPOINTS = EXPERIMENTS.parent / "plugins" / "unprompt_painter" / "checkpoints"
ROW = "test prompts with a training prompt at cosine"
CHUNK = 4096
THRESHOLDS = (0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True)
class World:
    """Training images of one dataset.

    Attributes:
        dataset: The plugin and its options.
        count: How many of its first images were trained on.
    """

    dataset: Part
    count: int

    @property
    def name(self) -> str:
        """The dataset as tables show it."""
        options = self.dataset.plain()["options"]
        name = f"{self.dataset.plugin} {options.get('seed', '')}".strip()
        share = options.get("unseen")
        return name if share is None else f"{name} (unseen {share:g})"

    def trained_on(self, registry: Registry) -> tuple[Record, ...]:
        """Its rows, without those that the recipe held out."""
        dataset: Dataset = registry.build(self.dataset.spec, self.dataset.options)
        return tuple(dataset.records()[: self.count])


@dataclass(frozen=True, slots=True, eq=False)
class Test:
    """The experiment's n test prompts.

    Attributes:
        prompts: The prompts.
        rows: Their targets, of shape (n, D).
        subsets: Name -> which of them are in it, of shape (n,).
    """

    prompts: tuple[str, ...]
    rows: FloatArray
    subsets: Mapping[str, BoolArray]

    def counts(self, highest: FloatArray) -> str:
        """How many have a training prompt at each threshold: of all, then of each subset."""
        parts = [f"of {len(highest)}: {counts(highest)}"]
        for name, inside in self.subsets.items():
            parts.append(f"of {inside.sum()} {name}: {counts(highest[inside])}")
        return "; ".join(parts)


def main() -> None:
    """Print a line per world, then the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    default = EXPERIMENTS / "quickstart.yaml"
    parser.add_argument("experiment", nargs="?", type=Path, default=default)
    parser.add_argument("--cards", action="store_true", help="write the counts into model cards")
    arguments = parser.parse_args()
    registry = Registry()
    experiment = load_experiment(arguments.experiment, registry)
    context = make_context(registry, RuntimeConfig(batch_size=256), offline=True)
    data = open_dataset(experiment, context, Timings())
    ids = data.splits.ids["test"]
    subset = {record.image_id: record.subset for record in data.records}
    test = Test(
        tuple(data.prompts[name] for name in ids),
        data.targets.select(ids).rows,
        masks([subset[name] for name in ids]),
    )
    # The plain encoder: hundreds of thousands of rows have no place in the cache of texts.
    part = experiment.ensemble.text_encoder
    exact: TextEncoder = registry.build(part.spec, part.options, context.runtime)
    encoder = exact.fastest()
    towers = worlds_of_towers(registry)
    nearest = {}
    for world in dict.fromkeys(world for worlds in towers.values() for world in worlds):
        trained = subset_counts(world, registry)
        nearest[world] = nearest_cosines(world, test, encoder, context)
        shown = f"{world.count:,} prompts{trained}; {test.counts(nearest[world])}"
        print(f"{world.name}: {shown}", flush=True)
    print(f"\n{'tower':10} {'prompts':>9}  test prompts with one at cosine >= ...")
    for tower, worlds in (towers | {"all": list(nearest)}).items():
        highest = np.max([nearest[world] for world in worlds], axis=0)
        names = ", ".join(world.name for world in worlds) if tower != "all" else ""
        total = sum(world.count for world in worlds)
        print(f"{tower:10} {total:9,}  {test.counts(highest)}  {names}")
        if arguments.cards and tower != "all":
            value = f"{experiment.config.name}, {test.counts(highest)}"
            write_card(CHECKPOINTS / tower / "README.md", value)


def worlds_of_towers(registry: Registry) -> dict[str, list[World]]:
    """Each tower's name with the worlds that its recipes trained on, each world once."""
    towers: dict[str, dict[str, World]] = {}
    for path in sorted((EXPERIMENTS / "train").glob("*.yaml")):
        recipe = load_recipe(path, registry)
        count = recipe.dataset.plain()["options"]["images"] - recipe.config.validation
        world = World(recipe.dataset, count)
        towers.setdefault(recipe.config.tower.path.name, {})[world.name] = world
    return {tower: list(worlds.values()) for tower, worlds in towers.items()}


def masks(subsets: Sequence[str | None]) -> dict[str, BoolArray]:
    """Which of n images are in each subset, of shape (n,)."""
    names = sorted({name for name in subsets if name is not None})
    return {name: np.array([other == name for other in subsets]) for name in names}


def subset_counts(world: World, registry: Registry) -> str:
    """How many training images are of each subset, in brackets; empty where there are none.

    Raises:
        SystemExit: The recipe leaves unseen combinations out, and there is one.
    """
    found = Counter(record.subset for record in world.trained_on(registry) if record.subset)
    if world.dataset.plain()["options"].get("unseen") == 0 and found["unseen"]:
        raise SystemExit(f"{world.name}: {found['unseen']:,} images of unseen combinations")
    shown = ", ".join(f"{count:,} {name}" for name, count in sorted(found.items()))
    return f" ({shown})" if shown else ""


def nearest_cosines(world: World, test: Test, encoder: TextEncoder, context: Context) -> FloatArray:
    """The highest cosine of each test prompt with the world's prompts, float32 of shape (n,).

    Two for a prompt that occurs word for word, which no rounding reaches.
    """
    plain = cast("PlainData", world.dataset.plain())
    key: PlainData = [encoder.identity, plain, world.count, list(test.prompts)]

    def make(folder: Path) -> None:
        records = world.trained_on(context.registry)
        prompts = list(dict.fromkeys(record.prompt for record in records))
        highest = np.full(len(test.prompts), -1, np.float32)
        for chunk in chunks(sorted(prompts, key=len)):  # a batch is padded to its longest
            highest = np.maximum(highest, (encoder.encode(chunk) @ test.rows.T).max(axis=0))
        same = np.isin(test.prompts, prompts)
        np.save(folder / "nearest.npy", np.where(same, 2, highest), allow_pickle=False)

    folder = context.cache.folder("training-prompts", key, make)
    cosines: FloatArray = np.load(folder / "nearest.npy", allow_pickle=False)
    return cosines


def write_card(card: Path, value: str) -> None:
    """Put the row into a card's table, behind the trainings, in place of an older one."""
    lines = [
        line
        for line in card.read_text(encoding="utf-8").splitlines()
        if not line.startswith(f"| {ROW} |")
    ]
    (place,) = [i for i, line in enumerate(lines) if line.startswith("| all parts")]
    lines.insert(place + 1, f"| {ROW} | {value} |")
    card.write_text("\n".join(lines) + "\n", encoding="utf-8")


def chunks(prompts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Parts of `CHUNK` prompts."""
    return (prompts[start : start + CHUNK] for start in range(0, len(prompts), CHUNK))


def counts(highest: FloatArray) -> str:
    """How many test prompts have one at each threshold, and word for word."""
    above = [f"{threshold:g}: {(highest >= threshold).sum()}" for threshold in THRESHOLDS]
    return ", ".join([*above, f"word for word: {(highest == 2).sum()}"])


if __name__ == "__main__":
    main()
