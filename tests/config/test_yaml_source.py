"""Strict YAML: YAML 1.2 scalars, positions, and everything that is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from unprompt._config.source import Position, Source, parse, read, walk


def _problems(text: str) -> list[str]:
    return [str(problem) for problem in parse(text, "f.yaml").problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("-1.", -1.0),
        ("+.inf", math.inf),
        ("-.INF", -math.inf),
        ("012", 12),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("y", "y"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2020-01-01", "2020-01-01"),
        ("0b1", "0b1"),
        ("nan", "nan"),
        ("1.2.3", "1.2.3"),
        ("'1e-3'", "1e-3"),
        ('"null"', "null"),
        ("=", "="),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    parsed = parse(f"a: {text}", "f").data["a"]
    assert parsed == value
    assert type(parsed) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(parse("a: .nan", "f").data["a"])


def test_positions_are_those_of_keys_and_count_from_one() -> None:
    source = parse("a: 1\nb:\n  - x\n  - c: 2\n    d: 3\n", "f.yaml")
    assert source.data == {"a": 1, "b": ["x", {"c": 2, "d": 3}]}
    assert str(source.position(("a",))) == "f.yaml:1:1"
    assert str(source.position(("b", 0))) == "f.yaml:3:5"
    assert str(source.position(("b", 1, "d"))) == "f.yaml:5:5"


def test_a_key_that_is_not_there_has_the_position_of_its_nearest_ancestor() -> None:
    source = parse("a:\n  b: 1\n", "f.yaml")
    assert source.position(("a", "x", "y")) == Position("f.yaml", 1, 1)
    assert source.position(("a", "b", "y")) == Position("f.yaml", 2, 3)


def test_a_repeated_key_names_the_first_line_and_the_first_value_stays() -> None:
    source = parse("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", "f.yaml")
    assert [str(problem) for problem in source.problems] == [
        "f.yaml:4:3: b.c: repeated key, first set on line 3",
        "f.yaml:5:1: a: repeated key, first set on line 1",
    ]
    assert source.data == {"a": 1, "b": {"c": 1}}


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system [ls]",
        "!!python/name:os.system",
        "!function {a: 1}",
        "!function [1]",
        "!function x",
        "!!binary aGk=",
        "!!timestamp 2020-01-01",
        "!!set {x}",
        "!!omap [x: 1]",
        "!!str {a: 1}",
    ],
)
def test_tags_are_refused_with_their_name_and_give_nothing(value: str) -> None:
    source = parse(f"a: {value}\nb: 1", "f.yaml")
    (problem,) = source.problems
    assert str(problem).startswith("f.yaml:1:1: a: the tag ")
    assert value.split()[0].removeprefix("!!") in str(problem)
    assert source.data == {"a": None, "b": 1}


def test_tags_of_plain_data_are_applied() -> None:
    assert parse("{a: !!str 12, b: !!float 1, c: !!int '3'}", "f").data == {
        "a": "12",
        "b": 1.0,
        "c": 3,
    }


@pytest.mark.parametrize("value", ["!!int ten", "!!bool maybe", "!!float x", "9" * 5000])
def test_a_scalar_that_its_tag_does_not_fit_is_one_problem(value: str) -> None:
    (problem,) = _problems(f"a: {value}")
    assert problem.startswith("f.yaml:1:1: a: cannot be read as ")


def test_aliases_repeat_plain_data_as_copies() -> None:
    source = parse("a: &x {k: [1]}\nb: *x\n", "f.yaml")
    assert source.problems == []
    assert source.data == {"a": {"k": [1]}, "b": {"k": [1]}}
    source.data["b"]["k"].append(2)
    assert source.data["a"] == {"k": [1]}


@pytest.mark.parametrize("text", ["a: &x [*x]", "a: &x {b: {c: *x}}", "&x {a: *x}"])
def test_an_alias_inside_itself_is_refused(text: str) -> None:
    (problem,) = _problems(text)
    assert "not YAML: an alias is inside the value that it names" in problem
    assert problem.startswith(f"f.yaml:1:{text.index('*') + 1}: ")


def test_an_unknown_alias_is_refused() -> None:
    assert _problems("a: *x") == ["f.yaml:1:4: not YAML: found undefined alias 'x'"]


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    (problem,) = _problems("\n".join(lines))
    assert problem.endswith("not YAML: more than 100000 values")


def test_a_merge_key_is_a_plain_key() -> None:
    assert parse("<<: {a: 1}", "f").data == {"<<": {"a": 1}}


def test_endless_nesting_is_refused() -> None:
    (problem,) = _problems("[" * 5000 + "]" * 5000)
    assert problem == "f.yaml: not YAML: nested too deeply"


def test_scalar_keys_are_the_text_as_written() -> None:
    assert parse("1: a\non: b\nnull: c\n1e-3: d", "f").data == {
        "1": "a",
        "on": "b",
        "null": "c",
        "1e-3": "d",
    }


def test_a_key_that_is_a_list_or_a_map_is_refused() -> None:
    assert _problems("? [a, b]\n: 1\n") == ["f.yaml:1:3: a key should be a plain string"]
    assert _problems("x:\n  ? {a: b}\n  : 1\n") == ["f.yaml:2:5: x: a key should be a plain string"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: [1, 2", "f.yaml:1:9"),
        ("a: 1\n\tb: 2", "f.yaml:2:1"),
        ("a: 1\nb: c: d", "f.yaml:2:5"),
        ("a: 'x", "f.yaml:1:6"),
        ("a: 1\n---\nb: 1", "f.yaml:2:1"),
    ],
)
def test_broken_syntax_is_one_line_with_its_position(text: str, where: str) -> None:
    (problem,) = _problems(text)
    assert problem.startswith(f"{where}: not YAML: ")
    assert "\n" not in problem


def test_control_characters_are_one_line() -> None:
    (problem,) = _problems("a: \x00\x07")
    assert problem.startswith("f.yaml: not YAML: unacceptable character #x0000")
    assert "\n" not in problem


def _read(path: Path, content: bytes) -> Source:
    path.write_bytes(content)
    return read(path)


def test_a_file_is_shown_relative_to_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(_read(tmp_path / "f.yaml", b"a: 1").position(("a",))) == "f.yaml:1:1"
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert str(read(tmp_path / "f.yaml").position(("a",))) == f"{tmp_path}/f.yaml:1:1"


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "Absent.yaml"
    (problem,) = read(path).problems
    assert str(problem) == f"{path}: cannot be read: no such file or directory"


def test_a_folder_instead_of_a_file_is_one_line(tmp_path: Path) -> None:
    (problem,) = read(tmp_path).problems
    assert str(problem) == f"{tmp_path}: cannot be read: is a directory"


def test_a_file_that_is_not_utf8_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    (problem,) = _read(path, b"a: \xff\xfe").problems
    assert str(problem) == f"{path}: cannot be read: not UTF-8"


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"---\n"])
def test_an_empty_file_is_no_data_and_no_problem(tmp_path: Path, content: bytes) -> None:
    source = _read(tmp_path / "f.yaml", content)
    assert (source.data, source.problems) == (None, [])


def test_a_byte_order_mark_and_windows_line_ends_are_harmless(tmp_path: Path) -> None:
    source = _read(tmp_path / "f.yaml", b"\xef\xbb\xbfa: 1\r\nb: \xc3\xa9\r\n")
    assert source.data == {"a": 1, "b": "é"}
    assert source.position(("b",)).line == 2


def test_relative_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    assert _read(tmp_path / "f.yaml", b"a: {b: 1}").folder(("a", "b")) == tmp_path


def test_walk_yields_every_key_parents_first() -> None:
    assert [key for key, _ in walk({"a": [{"b": 1}], "c": 2})] == [
        (),
        ("a",),
        ("a", 0),
        ("a", 0, "b"),
        ("c",),
    ]
