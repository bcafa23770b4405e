"""Writing a new package of one plugin: every file, or nothing."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import unprompt
from unprompt._files.reserving import reserved_folder
from unprompt._registry.plugins import Registry
from unprompt._scaffold.names import Names, names_of
from unprompt._scaffold.sample import write_sample

Kind: TypeAlias = Literal["predictor", "dataset", "text-encoder", "observer"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_PARTS: dict[Kind, dict[str, str]] = {
    "predictor": {"hook": "unprompt_predictor", "base": "Predictor", "part": "predictor"},
    "dataset": {"hook": "unprompt_dataset", "base": "Dataset", "part": "dataset"},
    "text-encoder": {"hook": "unprompt_text_encoder", "base": "TextEncoder", "part": "encoder"},
    "observer": {"hook": "unprompt_observer", "base": "Observer", "part": "observer"},
}
_SUFFIX = ".tmpl"  # so that no tool takes a template for what it makes
_PLACEHOLDER = re.compile(r"<<(\w+)>>")


def new_package(name: str, kind: Kind, parent: Path, registry: Registry) -> tuple[Path, Names]:
    """Write the package of a new plugin.

    Args:
        name: The plugin's name, with or without ``unprompt-``.
        kind: What it offers.
        parent: The folder in which the package's folder is made.
        registry: Knows which names are taken, and draws the images of a dataset's example.

    Returns:
        The package's folder, and its names.

    Raises:
        DataError: The name cannot be used, or is taken.
        OutputError: The folder exists and is not empty, or cannot be written.
    """
    names = names_of(name, (*registry.claims, *registry.excluded))
    with reserved_folder(parent / names.folder, last=["pyproject.toml"]) as reservation:
        for path, text in rendered(kind, names).items():
            file = reservation.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        if kind == "dataset":
            write_sample(reservation.folder / "examples" / "images", registry)
        reservation.finish()
        return reservation.target, names


def rendered(kind: Kind, names: Names) -> dict[str, str]:
    """Every text file of a package by its path: those of all kinds, and those of this one."""
    values = {
        "name": names.plugin,
        "project": names.project,
        "module": names.module,
        "folder": names.folder,
        "kind": kind.replace("-", " "),
        **_PARTS[kind],
        "unprompt": ".".join(unprompt.__version__.split(".")[:2]),
    }
    templates = files(__package__) / "templates"
    use = (templates / kind / "use.md").read_text(encoding="utf-8")
    values["use"] = _filled(use, values).strip()
    texts = {**_below(templates / "all"), **_below(templates / kind)}
    return {
        _filled(path, values).removesuffix(_SUFFIX): _filled(text, values)
        for path, text in texts.items()
    }


def _filled(text: str, values: dict[str, str]) -> str:
    """The text with every ``<<key>>`` replaced by its value."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def _below(folder: Traversable, path: str = "") -> dict[str, str]:
    """The text of every template below a folder, by its path from there.

    Paths have ``[key]`` for ``<<key>>``, as some file systems refuse ``<``; ``dot-`` begins what
    is hidden in a package.
    """
    texts: dict[str, str] = {}
    for entry in folder.iterdir():
        name = re.sub(r"\[(\w+)\]", r"<<\1>>", re.sub("^dot-", ".", entry.name))
        if entry.is_dir():
            texts |= _below(entry, f"{path}{name}/")
        elif name.endswith(_SUFFIX):
            texts[f"{path}{name}"] = entry.read_text(encoding="utf-8")
    return texts
