"""Where the ensembles and experiments are that ship: in the package, or in a checkout."""

from __future__ import annotations

from pathlib import Path

FOLDERS = ("ensembles", "experiments")
"""Top-level folders that the wheel has inside the package `unprompt`."""

_PACKAGE = Path(__file__).parents[1]


def shipped_folder(name: str) -> Path:
    """Where one of `FOLDERS` is; in an installation it may be missing, as anything may."""
    inside = _PACKAGE / name
    outside = _PACKAGE.parents[1] / name
    is_checkout = _PACKAGE.parent.name == "core" and (outside.parent / "pyproject.toml").is_file()
    return outside if is_checkout and not inside.is_dir() else inside
