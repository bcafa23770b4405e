"""Strict YAML: plain data with the file, line and column of every value.

PyYAML on its own reads ``1e-3`` as a string, ``on`` as True and ``012`` as 10, silently takes the
last of repeated keys and counts lines from 0. This loader follows YAML 1.2's core schema, refuses
repeated keys and counts from 1. It gives only plain maps, lists and scalars.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from unprompt._files.paths import absolute, check_name, opened, reason, shown, working_folder
from unprompt.errors import DataError

Key: TypeAlias = tuple[str | int, ...]
"""The path of a value in the data: ``("members", 0, "weight")``."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a value was written: file, line and column.

    Attributes:
        file: The YAML file, or ``--set a.b=c``.
        line: From 1; 0 where there are no lines.
        column: From 1; 0 likewise.
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """``file:line:col``, or the file alone."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake: its position, its key, what would be right, and the error behind it."""

    position: Position
    key: Key
    what: str
    cause: Exception | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """``file:line:col: path: what``."""
        path = ".".join(str(part) for part in self.key)
        return f"{self.position}: {path}: {self.what}" if path else f"{self.position}: {self.what}"


@dataclass(slots=True)
class Source:
    """Plain data and where each part of it was written.

    Attributes:
        data: Maps, lists, strings, numbers, booleans and None.
        marks: The position of each key of ``data``; of a map's entry, that of its key.
        problems: The mistakes so far; reading goes on, so that all of them are reported at once.
        folders: The folder of each file that has a position; relative paths in the file start
            there.
        incomplete: Whether a file that it includes could not be read: what is missing may be in
            there.
        env: The environment variable that gave the value at each of these keys.
    """

    data: Any
    marks: dict[Key, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    folders: dict[str, Path] = field(default_factory=dict)
    incomplete: bool = False
    env: dict[Key, str] = field(default_factory=dict)

    def folder(self, key: Key) -> Path:
        """The folder that relative paths at ``key`` start from."""
        folder = self.folders.get(self.position(key).file)
        return working_folder() if folder is None else folder

    def position(self, key: Key) -> Position:
        """Where ``key`` was written, or its nearest ancestor that is in the file."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.marks:
                return self.marks[key[:length]]
        return self.marks[()]

    def problem(self, key: Key, what: str, cause: Exception | None = None) -> None:
        """Note a mistake at ``key``; ``cause`` is the error of a plugin behind it."""
        self.problems.append(Problem(self.position(key), key, what, cause))


_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str")}
_TAGS: dict[type[yaml.Node], set[str]] = {
    yaml.ScalarNode: _PLAIN_TAGS,
    yaml.SequenceNode: {"tag:yaml.org,2002:seq"},
    yaml.MappingNode: {"tag:yaml.org,2002:map"},
}

_MAX_BYTES = 1 << 24
"""No configuration is so long; ``/dev/zero`` never ends."""

_MAX_VALUES = 100_000
"""Aliases of aliases can expand beyond memory; no configuration has so many values."""


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's own class-level table, emptied

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse an alias inside the value that it names."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # types-PyYAML has no types for it
        node = super().compose_node(parent, index)
        if node is not None and node.end_mark is None:  # PyYAML sets it when the node is complete
            raise yaml.MarkedYAMLError(
                problem="an alias is inside the value that it names", problem_mark=mark
            )
        return node


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    list("tTfF"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _loader, node: _integer(node.value))


def _integer(text: str) -> int:
    """An integer of YAML 1.2: ``0o17`` is octal, ``0x1F`` hexadecimal, ``012`` is 12."""
    if text.startswith(("0o", "0x")):
        return int(text, 0)
    return int(text)


def read(path: Path) -> Source:
    """Read one YAML file; ``include:`` is left to the caller.

    Returns:
        The data with marks; syntax errors, wrong encoding and repeated keys as its problems.

    Raises:
        DataError: No file can have this name, or the working directory was deleted.
    """
    check_name(path)
    name = _display(path)
    source = Source(None, {(): Position(name, 1, 1)}, folders={name: absolute(path).parent})
    try:
        with opened(path) as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise OSError(0, f"larger than {_MAX_BYTES:,} bytes")
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "not UTF-8"
        source.marks[()] = Position(name)
        source.problem((), f"cannot be read: {why}")
        return source
    return parse(text, name, source)


def parse(text: str, name: str, source: Source | None = None) -> Source:
    """Read YAML text; positions carry ``name`` as their file."""
    source = source or Source(None, {(): Position(name, 1, 1)})
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            source.data = _build(loader, node, (), name, source)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(name, mark.line + 1, mark.column + 1) if mark else Position(name)
        source.problems.append(Problem(position, (), f"not YAML: {error.problem}"))
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        source.problems.append(Problem(Position(name), (), f"not YAML: {what}"))
    except RecursionError:
        source.problems.append(Problem(Position(name), (), "not YAML: nested too deeply"))
    return source


def _build(loader: _Loader, node: yaml.Node, key: Key, name: str, source: Source) -> Any:
    """The plain data of one node; adds its marks to ``source``."""
    source.marks.setdefault(key, _at(node, name))
    if len(source.marks) > _MAX_VALUES:
        raise yaml.MarkedYAMLError(
            problem=f"more than {_MAX_VALUES} values", problem_mark=node.start_mark
        )
    if node.tag not in _TAGS[type(node)]:
        source.problem(key, f"the tag {node.tag} is not allowed: configuration is plain data")
        return None
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, key, name, source)
    if isinstance(node, yaml.SequenceNode):
        return [
            _build(loader, child, (*key, i), name, source) for i, child in enumerate(node.value)
        ]
    try:
        return loader.construct_object(node)
    except (ValueError, KeyError):  # a tag that does not fit the text, or too many digits
        source.problem(key, f"cannot be read as {node.tag.rpartition(':')[2]}")
        return None


def _mapping(
    loader: _Loader, node: yaml.MappingNode, key: Key, name: str, source: Source
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    first: dict[str, Position] = {}
    for key_node, value_node in node.value:
        position = _at(key_node, name)
        entry = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(entry, str):
            source.problems.append(Problem(position, key, "a key should be a plain string"))
        elif entry in first:
            what = f"repeated key, first set on line {first[entry].line}"
            source.problems.append(Problem(position, (*key, entry), what))
        else:
            first[entry] = source.marks[(*key, entry)] = position
            result[entry] = _build(loader, value_node, (*key, entry), name, source)
    return result


def _at(node: yaml.Node, name: str) -> Position:
    return Position(name, node.start_mark.line + 1, node.start_mark.column + 1)


def _display(path: Path) -> str:
    """The path as error lines show it: relative if it is below the working directory."""
    with suppress(DataError):  # without a working directory nothing is below it
        here = working_folder()
        if absolute(path).is_relative_to(here):
            return shown(absolute(path).relative_to(here))
    return shown(path)


def walk(data: Any, key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every key of plain data with its value, parents first."""
    yield key, data
    if isinstance(data, dict):
        for name, value in data.items():
            yield from walk(value, (*key, name))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from walk(value, (*key, i))
