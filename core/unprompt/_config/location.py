"""A file or folder named in YAML: ``package:``, ``~``, absolute, or relative to that YAML."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import PydanticCustomError, core_schema

PACKAGE = "package:"


class PlacedText(str):
    """Text that knows which folder it was written in, where that is not its surroundings'."""

    folder: Path

    def __new__(cls, text: str, folder: Path) -> Self:
        """``text``, written in a file in ``folder``."""
        placed = super().__new__(cls, text)
        placed.folder = folder
        return placed


@dataclass(frozen=True, slots=True)
class Location:
    """Where something lies on disk.

    In YAML it is a string: ``package:unprompt_painter/checkpoints/clip-a`` names a file inside an
    installed package, anything else is a path, relative to the folder of the YAML file that
    says it (pydantic context key ``folder``; without it, to the working directory).

    Attributes:
        path: Absolute path; nothing says that it exists.
        text: How YAML can write it from anywhere: ``package:...`` as it was, or the absolute path.
    """

    path: Path
    text: str

    @classmethod
    def of(cls, text: str, folder: Path | None = None) -> Location:
        """Resolve ``text``; relative paths start at ``folder`` or the working directory.

        Raises:
            ValueError: ``package:`` names a package that is not installed, or ``~name`` nobody.
        """
        if text.startswith(PACKAGE):
            package, _, rest = text.removeprefix(PACKAGE).partition("/")
            return cls(_package_folder(package) / rest, text)
        try:
            path = ((folder or Path.cwd()) / Path(text).expanduser()).absolute()
        except RuntimeError as error:  # pathlib's word for an unknown ~name
            raise ValueError(f"no home folder for {text!r}") from error
        return cls(path, str(path))

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Validate from a string (or a Location) and serialise to one."""
        return core_schema.with_info_plain_validator_function(
            cls._validate,
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
            around = (info.context or {}).get("folder")
            return cls.of(value, value.folder if isinstance(value, PlacedText) else around)
        except ValueError as error:
            raise PydanticCustomError("location", "{why}", {"why": str(error)}) from error


def _package_folder(package: str) -> Path:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"no installed package {package!r}")
    return Path(next(iter(spec.submodule_search_locations)))
