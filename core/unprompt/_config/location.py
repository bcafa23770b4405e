"""A file or folder named in YAML: ``package:``, ``~``, absolute, or relative to that YAML."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import PydanticCustomError, core_schema

from unprompt._files.paths import absolute, check_name, kind_of, shown, user_path
from unprompt.errors import DataError

PACKAGE = "package:"

_RENAMED = {"package:unprompt_painter/weights/": "package:unprompt_painter/checkpoints/"}
"""Folders in packages whose earlier names are in users' files and in runs."""


class PlacedText(str):
    """Text with the folder of its file, where that is not the folder of the text around it."""

    folder: Path

    def __new__(cls, text: str, folder: Path) -> Self:
        """``text``, written in a file in ``folder``."""
        placed = super().__new__(cls, text)
        placed.folder = folder
        return placed


@dataclass(frozen=True, slots=True)
class Location:
    """The place of a file or folder on disk.

    In YAML it is a string: ``package:unprompt_painter/checkpoints/clip-a`` names a file inside an
    installed package, anything else is a path, relative to the folder of the YAML file that
    names it (pydantic context key ``folder``; without it, to the working directory).

    Attributes:
        path: Absolute path; the file or folder may not exist.
        text: What YAML files in any folder can contain: ``package:...`` as it was written, or the
            absolute path.
    """

    path: Path
    text: str

    @classmethod
    def of(cls, text: str, folder: Path | None = None) -> Location:
        """Resolve ``text``; relative paths start at ``folder`` or the working directory.

        Raises:
            ValueError: ``package:`` names a package that is not installed, ``~name`` a user who
                does not exist, or nobody can look at the path: its name is too long or holds NUL,
                or it is below a folder that may not be entered.
        """
        for earlier, name in _RENAMED.items():
            text = name + text.removeprefix(earlier) if text.startswith(earlier) else text
        try:
            if text.startswith(PACKAGE):
                package, _, rest = text.removeprefix(PACKAGE).partition("/")
                check_name(rest)
                path = _package_folder(package) / rest
            else:
                path = user_path(text)
                path = absolute(path if folder is None else folder / path)
            kind_of(path)
        except DataError as error:
            raise ValueError(str(error)) from error
        return cls(path, text if text.startswith(PACKAGE) else str(path))

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Validate from a string (or a Location) and serialise to one."""
        return core_schema.with_info_plain_validator_function(
            cls._validate,
            json_schema_input_schema=core_schema.str_schema(min_length=1),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda location: location.text
            ),
        )

    @classmethod
    def _validate(cls, value: object, info: ValidationInfo) -> Location:
        if isinstance(value, Location):
            return value
        if not isinstance(value, str) or not value:
            raise PydanticCustomError("location", "should be a path")
        try:
            context = info.context or {}
            own = value.folder if isinstance(value, PlacedText) else context.get("folder")
            return cls.of(value, own)
        except ValueError as error:
            raise PydanticCustomError("location", "{why}", {"why": str(error)}) from error


def _package_folder(package: str) -> Path:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"no installed package {shown(package)!r}")
    return Path(next(iter(spec.submodule_search_locations)))
