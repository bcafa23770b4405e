"""What a prediction reads: its output never takes the place of any of that."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

from pydantic import BaseModel

from unprompt._config.compose import compose
from unprompt._config.location import Location, on_disk
from unprompt._data.images import find_images
from unprompt._files import paths
from unprompt._files.checksums import CHECKSUMS, read_checksums
from unprompt._registry.parts import Ensemble
from unprompt._runs import files
from unprompt.errors import OutputError


def check_no_input(
    output: Path, file: Path, ensemble: Ensemble, images: Sequence[str | Path]
) -> None:
    """Check that writing ``output`` replaces nothing that the prediction reads.

    Args:
        output: The file to write.
        file: The ensemble's YAML file, which may lie in a run's folder.
        ensemble: As resolved from it.
        images: Paths, folders and globs.

    Raises:
        OutputError: It is an image, a YAML file, a file of the run, or a file that the ensemble's
            options name, or it lies in a folder that they name.
        DataError: As `find_images`, or the run's checksums are damaged.
    """
    named = [*_named_by(ensemble)]
    for folder in named:
        if paths.is_folder(folder) and output.resolve().is_relative_to(folder.resolve()):
            raise OutputError(
                f"{paths.shown(output)}: lies in {paths.shown(folder)}, which this command reads; "
                "choose another output"
            )
    if paths.kind_of(output) != "file":  # it is new, or nothing that is replaced
        return
    own = [file, *map(Path, compose(file).folders)]
    sources = [*map(on_disk, own), *_files_of_run(on_disk(file).parent), *named]
    if _is_one_of(output, sources) or _is_one_of(output, find_images(images).paths.values()):
        raise OutputError(f"{paths.shown(output)}: this command reads it; choose another output")


def _is_one_of(output: Path, others: Iterable[Path]) -> bool:
    """Whether ``output`` is one of these files, by whatever name."""
    own = output.stat()
    for path in others:
        try:
            if os.path.samestat(own, path.stat()):
                return True
        except OSError:  # it is not there; who reads it says so
            continue
    return False


def _files_of_run(folder: Path) -> Iterator[Path]:
    """The files of a finished run; nothing where ``folder`` is none."""
    if not paths.is_file(folder / CHECKSUMS):
        return
    known = (CHECKSUMS, files.ENSEMBLE, files.STUDY, files.REPORT)
    yield from (folder / name for name in (*known, *read_checksums(folder / CHECKSUMS)))


def _named_by(value: object) -> Iterator[Path]:
    """The paths in an ensemble, its members' artifacts and all options."""
    if isinstance(value, Location | Path):
        yield value.path if isinstance(value, Location) else value
        return
    for item in _inside(value):
        yield from _named_by(item)


def _inside(value: object) -> Iterable[object]:
    """What options and collections hold."""
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, BaseModel):
        return [getattr(value, name) for name in type(value).model_fields]
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in fields(value)]
    return ()
