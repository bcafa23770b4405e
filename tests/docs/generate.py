"""Write the generated parts of the guides, and schemas: ``python tests/docs/generate.py``.

A generated part stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``; test_docs.py
fails when one is out of date. The schemas beside our YAML files know our own plugins.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from unprompt._cli.schema import File, as_text, schema
from unprompt._config import models
from unprompt._config.option_rows import option_rows
from unprompt._recipes.recipe import OBJECTIVES, RecipeConfig
from unprompt._registry.hooks import KINDS
from unprompt._registry.plugins import Registry
from unprompt.contracts import hookspecs

ROOT = Path(__file__).parents[2]


def key_table(model: type[BaseModel], without: Collection[str] = ()) -> str:
    """Every key that a model takes, nested ones with their path, but for those in ``without``."""
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for row in option_rows(model, without, quote="`"):
        default = row.default if row.default in WORDS else f"`{row.default}`"
        cells = [f"`{row.key}`", row.type, default, row.meaning]
        rows.append(" | ".join(["", *cells, ""]).strip())
    return "\n".join(rows)


WORDS = ("", "none", "as below")
"""Defaults that are no values."""


def recipe_tables() -> str:
    """The keys of every training recipe, and those of each objective."""
    parts = [key_table(RecipeConfig)]
    for objective, model in OBJECTIVES.items():
        own = key_table(model, without=RecipeConfig.model_fields.keys())
        parts.append(f"With `objective: {objective}` also:\n\n{own}")
    return "\n\n".join(parts)


def plugin_options() -> str:
    """The options of every plugin that this project ships."""
    claims = [claim for claim in Registry().claims if claim.distribution == "unprompt"]
    return options_of(*(claim.name for claim in claims))


def options_of(*names: str) -> str:
    """The options of some plugins, with their summaries."""
    registry = Registry()
    kinds: tuple[type[Any], ...] = tuple(KINDS)
    parts = []
    for name in names:
        for kind in kinds:
            spec: Any = registry.offered(name, kind)
            if spec is not None:
                parts.append(f"### `{spec.name}`\n\n{spec.summary}.\n\n{key_table(spec.options)}")
    return "\n\n".join(parts)


def scores_of(*members: str) -> str:
    """The rows of some members in the quickstart's table in README.md."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = ["| | holdout | test | 95 % interval | gap closed |", "|---|---|---|---|---|"]
    for member in members:
        pattern = rf"^{member} +[\d.]+ +([\d.]+) +([\d.]+) +(\[.+?\]) +([\d.]+%)"
        (cells,) = re.findall(pattern, readme, flags=re.MULTILINE)
        rows.append(f"| `{member}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def page(*names: str, scored: bool = True) -> dict[str, Callable[[], str]]:
    """The parts of a family's page."""
    parts = {"options": lambda: options_of(*names)}
    return parts | ({"scores": lambda: scores_of(*names)} if scored else {})


def hook_table() -> str:
    """Every hook with its signature and docstring."""
    parts = []
    for name, function in vars(hookspecs).items():  # in the order of a plugin's life
        if name.startswith("unprompt_"):
            signature = str(inspect.signature(function)).replace("'", "")
            body = inspect.getdoc(function) or ""
            parts.append(f"### `{name}{signature}`\n\n```text\n{body}\n```")
    return "\n\n".join(parts)


DATASETS = ("imagefolder", "kaggle", "pairs", "parquet-images", "webdataset")

PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "ensembles/README.md": {
        "ensemble": lambda: key_table(models.EnsembleConfig),
        "options": plugin_options,
    },
    "experiments/README.md": {
        "experiment": lambda: key_table(models.ExperimentConfig),
        "recipe": recipe_tables,
    },
    "plugins/README.md": {"hooks": hook_table},
    "plugins/blip.md": page("clip-blip"),
    "plugins/clip.md": page("clip-l14", "clip-l16-384"),
    "plugins/data.md": page(*DATASETS, scored=False),
    "plugins/embedded-metadata.md": page("embedded-metadata", scored=False),
    "plugins/knn.md": page("knn-vit-g", "knn-vit-h"),
    "plugins/painter.md": page("painter", scored=False),
    "plugins/text-map.md": page("text-map", scored=False),
    "plugins/trackers.md": page("mlflow", "trackio", scored=False),
}


SCHEMAS: dict[str, File] = {
    "ensembles/schema.json": "ensemble",
    "experiments/schema.json": "experiment",
    "experiments/train/schema.json": "recipe",
}


def schema_file(path: str) -> str:
    """A schema's text as it should be, whatever other plugins are installed here."""
    registry = Registry()
    own = [claim for claim in registry.claims if claim.distribution == "unprompt"]
    return as_text(schema(SCHEMAS[path], registry, own, others=True))


def filled(path: str) -> str:
    """A guide's text with its generated parts as they should be."""
    text = (ROOT / path).read_text(encoding="utf-8")
    for name, make in PARTS[path].items():
        text, count = _replace(text, name, make())
        if count != 1:
            raise ValueError(f"{path}: expected one part {name!r}, found {count}")
    return text


def _replace(text: str, name: str, part: str) -> tuple[str, int]:
    """The text with the part put between its marks, and how many times they occur."""
    marks = f"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
    return re.subn(marks, lambda m: f"{m[1]}\n{part}\n\n{m[2]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    for guide in PARTS:
        (ROOT / guide).write_text(filled(guide), encoding="utf-8")
    for path in SCHEMAS:
        (ROOT / path).write_text(schema_file(path), encoding="utf-8")
