"""Includes with deep merge, and --set overrides: data, positions and mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unprompt._config.compose import compose
from unprompt._config.source import Key, Source

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write files below the working directory; return the path of the first one."""
    monkeypatch.chdir(tmp_path)

    def files(**texts: str) -> Path:
        paths = [tmp_path / f"{name.replace('__', '/')}.yaml" for name in texts]
        for path, text in zip(paths, texts.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return paths[0]

    return files


def _problems(source: Source) -> list[str]:
    return [str(problem) for problem in source.problems]


def _position(source: Source, *key: str | int) -> str:
    path: Key = key
    return str(source.position(path))


def test_an_include_is_merged_under_the_maps_own_keys(write: Write) -> None:
    source = compose(write(top="include: base.yaml\na: 1\n", base="a: 0\nb: 2\n"))
    assert source.data == {"a": 1, "b": 2}
    assert _position(source, "a") == "top.yaml:2:1"
    assert _position(source, "b") == "base.yaml:2:1"
    assert _problems(source) == []


def test_later_includes_win_over_earlier_ones(write: Write) -> None:
    source = compose(write(top="include: [x.yaml, y.yaml]", x="a: 1\nb: 1", y="a: 2\nc: 2"))
    assert source.data == {"a": 2, "b": 1, "c": 2}
    assert _position(source, "a") == "y.yaml:1:1"
    assert _position(source, "b") == "x.yaml:2:1"


def test_maps_merge_deeply_and_lists_are_replaced(write: Write) -> None:
    base = "m:\n  x: {p: 1, q: 2}\n  l: [1, 2, 3]\n"
    source = compose(write(top="include: base.yaml\nm:\n  x:\n    q: 9\n  l: [4]\n", base=base))
    assert source.data == {"m": {"x": {"p": 1, "q": 9}, "l": [4]}}
    assert _position(source, "m", "x", "p") == "base.yaml:2:7"
    assert _position(source, "m", "x", "q") == "top.yaml:4:5"
    assert _position(source, "m", "l", 0) == "top.yaml:5:7"
    assert _position(source, "m", "l", 1) == "top.yaml:5:3"  # the base's second item is gone


def test_null_removes_a_key_of_an_include(write: Write) -> None:
    source = compose(write(top="include: base.yaml\na: null\nc: ~\n", base="a: {x: 1}\nb: 2\n"))
    assert source.data == {"b": 2, "c": None}
    assert ("a", "x") not in source.marks


def test_an_include_may_be_in_any_map_and_in_lists(write: Write) -> None:
    source = compose(
        write(
            top="m:\n- include: item.yaml\n  w: 2\nn: {include: item.yaml}\n", item="p: x\nw: 1\n"
        )
    )
    assert source.data == {"m": [{"p": "x", "w": 2}], "n": {"p": "x", "w": 1}}
    assert _position(source, "m", 0, "p") == "item.yaml:1:1"
    assert _position(source, "m", 0, "w") == "top.yaml:3:3"
    assert _position(source, "n", "w") == "item.yaml:2:1"


def test_includes_are_relative_to_the_file_that_contains_them(write: Write) -> None:
    path = write(
        experiments__top="include: ../ensembles/a.yaml",
        ensembles__a="include: parts/b.yaml\nx: 1",
        ensembles__parts__b="y: 2",
    )
    source = compose(path)
    assert source.data == {"x": 1, "y": 2}
    assert source.folder(("y",)).resolve() == path.parent.parent / "ensembles/parts"
    assert source.folder(("x",)).resolve() == path.parent.parent / "ensembles"


def test_one_file_may_be_included_twice(write: Write) -> None:
    source = compose(write(top="a: {include: x.yaml}\nb: {include: x.yaml}", x="k: 1"))
    assert source.data == {"a": {"k": 1}, "b": {"k": 1}}
    assert _problems(source) == []


def test_a_cycle_of_includes_is_named_where_it_closes(write: Write) -> None:
    source = compose(write(top="a: 1\ninclude: x.yaml\n", x="b: 2\ninclude: top.yaml\n"))
    assert _problems(source) == ["x.yaml:2:1: include: top.yaml includes itself"]


def test_a_missing_include_is_named_at_its_own_line(write: Write) -> None:
    source = compose(
        write(top="a: 1\nb:\n  c: 1\n  include:\n  - x.yaml\n  - gone.yaml\n", x="d: 1")
    )
    assert _problems(source) == ["top.yaml:6:5: b.include.1: no such file: gone.yaml"]
    assert source.data == {"a": 1, "b": {"c": 1, "d": 1}}


@pytest.mark.parametrize(
    ("include", "what"),
    [
        ("7", "include: should be a path or a list of paths, got 7"),
        ("{a: 1}", "include: should be a path or a list of paths, got {'a': 1}"),
        ("list.yaml", "include: list.yaml should hold a map"),
        ("empty.yaml", "include: empty.yaml should hold a map"),
        ("~nobody-of-this-name/x.yaml", "include: no home folder for"),
    ],
)
def test_a_wrong_include_is_one_line(write: Write, include: str, what: str) -> None:
    source = compose(write(top=f"a: 1\ninclude: {include}\n", list="[1]", empty=""))
    (problem,) = _problems(source)
    assert problem.startswith(f"top.yaml:2:1: {what}")
    assert source.data == {"a": 1}


def test_mistakes_in_an_included_file_have_its_position_and_the_full_key(write: Write) -> None:
    source = compose(write(top="m: {include: x.yaml}\n", x="a: 1\nb: 2\na: 3\n"))
    assert _problems(source) == ["x.yaml:3:1: m.a: repeated key, first set on line 1"]


def test_broken_syntax_in_an_included_file_is_one_line(write: Write) -> None:
    source = compose(write(top="m: {include: x.yaml}\n", x="a: [1\n"))
    (problem,) = _problems(source)
    assert problem.startswith("x.yaml:2:1: m: not YAML: ")


MEMBERS = """\
ensemble:
  members:
  - {plugin: knn, weight: 1}
  - {plugin: knn, name: second, weight: 1}
"""


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("a=1", ("a",), 1),
        ("b.c.d=1e-3", ("b", "c", "d"), 0.001),
        ("b.c=[1, {x: yes}]", ("b", "c"), [1, {"x": "yes"}]),
        ("b={x: 1}", ("b",), {"x": 1}),
        ("b.c=", ("b", "c"), None),
        ("b.c=null", ("b", "c"), None),
        ("b.c='1'", ("b", "c"), "1"),
        ("b.c=x=y", ("b", "c"), "x=y"),
        ("ensemble.members.1.weight=2", ("ensemble", "members", 1, "weight"), 2),
        ("ensemble.members.knn.weight=2", ("ensemble", "members", 0, "weight"), 2),
        ("ensemble.members.second.weight=2", ("ensemble", "members", 1, "weight"), 2),
        ("ensemble.members.second.options.k=2", ("ensemble", "members", 1, "options", "k"), 2),
        ("ensemble.members.0={plugin: x}", ("ensemble", "members", 0), {"plugin": "x"}),
    ],
)
def test_an_override_sets_one_value_and_is_its_position(
    write: Write, override: str, key: Key, value: object
) -> None:
    source = compose(write(top=f"b: {{}}\n{MEMBERS}"), [override])
    node: Any = source.data
    for step in key:
        node = node[step]
    assert node == value
    assert type(node) is type(value)
    assert _problems(source) == []
    assert str(source.position(key)) == f"--set {override}"


def test_overrides_replace_values_of_files_and_later_ones_win(write: Write) -> None:
    path = write(top="include: x.yaml\na: 1", x="a: 0\nb: {c: 1, d: 1}")
    source = compose(path, ["a=2", "b.c=2", "a=3"])
    assert source.data == {"a": 3, "b": {"c": 2, "d": 1}}
    assert _position(source, "b", "d") == "x.yaml:2:11"


def test_overrides_reach_into_null_and_into_an_empty_file(write: Write) -> None:
    assert compose(write(top="a:\n"), ["a.b=1"]).data == {"a": {"b": 1}}
    source = compose(write(top=""), ["a.b=1"])
    assert source.data == {"a": {"b": 1}}
    assert _position(source, "a") == "--set a.b=1"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("a", "should read a.b=value"),
        ("=1", "should read a.b=value"),
        ("a..b=1", "should read a.b=value"),
        ("ensemble.members.third.weight=1", "no 'third' in ensemble.members"),
        ("ensemble.members.2.weight=1", "no '2' in ensemble.members"),
        ("ensemble.members.²=1", "no '²' in ensemble.members"),
        ("n.x=1", "no 'x' in n"),
        ("n=[1", "the value is not YAML"),
        ("n=!!python/name:os.system", "the value is the tag"),
    ],
)
def test_an_override_of_a_missing_key_is_one_line(
    write: Write, override: str, problem: str
) -> None:
    source = compose(write(top=f"n: 1\n{MEMBERS}"), [override])
    (line,) = _problems(source)
    assert line.startswith(f"--set {override}: ")
    assert problem in line
    assert source.data["n"] == 1


@pytest.mark.parametrize("text", ["./x", "../x", "./odd #1: name"])
def test_an_overriding_path_starts_where_the_command_runs(
    write: Write, tmp_path: Path, text: str
) -> None:
    source = compose(write(below__top="a: 1"), [f"a={text}"])
    assert source.data == {"a": str((tmp_path / text).absolute())}


def test_an_overriding_home_path_is_expanded(write: Write) -> None:
    assert compose(write(top="a: 1"), ["a=~/x"]).data == {"a": str(Path.home() / "x")}


def test_an_unreadable_file_is_not_hidden_by_overrides(write: Write, tmp_path: Path) -> None:
    write(top="")
    (problem,) = _problems(compose(tmp_path / "gone.yaml", ["a=1", "b"]))
    assert problem == "gone.yaml: cannot be read: no such file or directory"
