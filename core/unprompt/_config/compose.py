"""Compose YAML files: ``include:`` with a deep merge, then ``--set`` overrides.

``include: other.yaml`` (or a list) may be a key of any map. Later includes take precedence over
earlier ones, and the map's own keys over all includes: maps are merged key by key, lists are
replaced, and ``null`` removes a key of an include.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unprompt._config.location import Location
from unprompt._config.reference import plugin_name
from unprompt._config.source import Key, Position, Problem, Source, parse, read
from unprompt._config.storage import storage_from_here
from unprompt._files.paths import kind_of, shown
from unprompt.errors import ConfigError

INCLUDE = "include"


def compose(path: Path, overrides: Sequence[str] = ()) -> Source:
    """Read ``path`` with everything that it includes, then apply the overrides in order.

    Args:
        path: A YAML file.
        overrides: ``a.b=c`` each; the value is YAML, a list item is named by its number or by
            the ``name`` or ``plugin`` that it carries: ``ensemble.members.knn-vit-h.weight=2``.
            A value that begins with ``./``, ``../`` or ``~/`` is a path from the working
            directory; other relative paths start at the folder of the file whose value they
            replace (a study's storage: at the working directory).

    Returns:
        The source; its problems hold what is wrong.
    """
    source = _expanded(path, ())
    if source.data is None and source.problems:
        return source  # unreadable: there is nothing to override
    if isinstance(overrides, str) or not isinstance(overrides, Sequence):
        raise ConfigError(f"overrides are a list, got {overrides!r}")  # a string: of letters
    if wrong := [override for override in overrides if not isinstance(override, str)]:
        raise ConfigError(f"overrides are texts such as 'a.b=c', got {wrong[0]!r}")
    for override in overrides:
        _override(source, override)
    return source


def _expanded(path: Path, above: tuple[Path, ...]) -> Source:
    source = read(path)
    if source.data is not None:
        source.data = _expand(source, (), source.data, (*above, path.resolve()))
    return source


def _expand(source: Source, key: Key, data: Any, files: tuple[Path, ...]) -> Any:
    """``data`` with the includes at and below ``key`` merged in."""
    if isinstance(data, list):
        return [_expand(source, (*key, i), item, files) for i, item in enumerate(data)]
    if not isinstance(data, dict):
        return data
    own = {name: _expand(source, (*key, name), value, files) for name, value in data.items()}
    if INCLUDE not in own:
        return own
    names = own.pop(INCLUDE)
    at: Key = (*key, INCLUDE)
    if isinstance(names, list):
        children = [_included(source, (*at, i), name, key, files) for i, name in enumerate(names)]
    else:
        children = [_included(source, at, names, key, files)]
    position = source.marks[key]
    own_marks = _cut(source.marks, key)
    merged: dict[str, Any] = {}
    for child in children:
        if child is None:
            source.incomplete = True
        else:
            _merge(merged, child.data, source.marks, _moved(child, key), key)
    _merge(merged, own, source.marks, own_marks, key)
    source.marks[key] = position
    return merged


def _included(
    source: Source, at: Key, name: Any, key: Key, files: tuple[Path, ...]
) -> Source | None:
    """The file ``name``, which ``at`` includes at ``key``; None, with a problem, if it is wrong."""
    if not isinstance(name, str):
        source.problem(at, f"should be a path or a list of paths, got {name!r}")
        return None
    try:
        path = Location.of(name, source.folder(at)).path
    except ValueError as error:
        source.problem(at, str(error))
        return None
    kind = kind_of(path)
    if kind != "file":
        what = "no such file" if kind == "missing" else f"a {kind}, not a file"
        source.problem(at, f"{what}: {shown(name)}")
        return None
    if path.resolve() in files:
        source.problem(at, f"{shown(name)} includes itself")
        return None
    child = _expanded(path, files)
    source.problems += [Problem(p.position, key + p.key, p.what) for p in child.problems]
    source.folders.update(child.folders)
    source.incomplete |= child.incomplete
    if not isinstance(child.data, dict):
        if not child.problems:
            source.problem(at, f"{shown(name)} should hold a map")
        return None
    return child


def _moved(child: Source, key: Key) -> dict[Key, Position]:
    return {key + inner: mark for inner, mark in child.marks.items()}


def _cut(marks: dict[Key, Position], key: Key) -> dict[Key, Position]:
    """Take the marks at and below ``key`` out of ``marks``."""
    below = [mark for mark in marks if mark[: len(key)] == key]
    return {mark: marks[mark] if mark == key else marks.pop(mark) for mark in below}


def _merge(
    base: dict[str, Any],
    over: dict[str, Any],
    base_marks: dict[Key, Position],
    over_marks: dict[Key, Position],
    key: Key,
) -> None:
    """Merge ``over`` into ``base`` in place, values and marks; ``over`` wins."""
    for name, value in over.items():
        entry = (*key, name)
        if isinstance(value, dict) and isinstance(base.get(name), dict):
            _merge(base[name], value, base_marks, over_marks, entry)
        elif value is None and name in base:
            del base[name]
            _cut(base_marks, entry)
            base_marks.pop(entry, None)
        else:
            _cut(base_marks, entry)
            base[name] = value
            below = {k: mark for k, mark in over_marks.items() if k[: len(entry)] == entry}
            base_marks.update(below)


def _override(source: Source, override: str) -> None:
    """Apply one ``a.b=c``."""
    origin = shown(f"--set {override}")
    path, equals, text = override.partition("=")
    if not equals or not all(path.split(".")):
        source.problems.append(Problem(Position(origin), (), "should read a.b=value"))
        return
    if text.startswith(("./", "../", "~/")):
        try:
            location = Location.of(text)
        except ValueError as error:
            source.problems.append(Problem(Position(origin), tuple(path.split(".")), str(error)))
            return
        _assign(source, path.split("."), location.text, Position(origin))
        return
    value = parse(text, origin)
    if value.problems:
        what = f"the value is {value.problems[0].what}"
        source.problems.append(Problem(Position(origin), (), what))
        return
    _assign(source, path.split("."), storage_from_here(path, value.data), Position(origin))


def _assign(source: Source, names: list[str], value: Any, origin: Position) -> None:
    """Set the value at the path ``names``; maps that are missing are made."""
    node: Any = source.data if isinstance(source.data, dict) else {}
    source.data = node
    steps: list[str | int] = []
    for depth, name in enumerate(names):
        step: str | int | None = _item(node, name) if isinstance(node, list) else name
        if step is None or not isinstance(node, list | dict):
            what = f"no {name!r} in {'.'.join(names[:depth]) or 'the file'}"
            source.problems.append(Problem(origin, tuple(names), what))
            return
        steps.append(step)
        if depth < len(names) - 1:
            if isinstance(node, dict) and node.get(name) is None:
                node[name] = {}
                source.marks[tuple(steps)] = origin
            node = node[step]
    node[steps[-1]] = value
    key: Key = tuple(steps)
    source.folders[origin.file] = source.folder(key)
    _cut(source.marks, key)
    source.marks[key] = origin


def _item(items: list[Any], name: str) -> int | None:
    """The number of the list item that ``name`` means."""
    if name.isdecimal() and int(name) < len(items):
        return int(name)
    for i, item in enumerate(items):
        if isinstance(item, dict):
            plugin = item.get("plugin")
            own = plugin_name(plugin) if isinstance(plugin, str) else plugin
            if name in (item.get("name", plugin), item.get("name", own)):
                return i
    return None
