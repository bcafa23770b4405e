"""Every command with every path argument: a path that cannot be is one line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., CompletedProcess[str]]
Mistake = Callable[..., list[str]]

# PATH stands for the bad one, ENSEMBLE, EXPERIMENT and FILE for good ones.
COMMANDS = {
    "run": "run PATH",
    "run --output": "run EXPERIMENT --output PATH",
    "search": "search PATH",
    "search --storage": "search EXPERIMENT --storage PATH",
    "report": "report PATH",
    "compare, first": "compare PATH PATH",
    "compare --json": "compare PATH PATH --json",
    "dashboard": "dashboard PATH",
    "dashboard --artifacts": "dashboard FILE --artifacts PATH",
    "predict": "predict PATH FILE -o out.jsonl",
    "predict -o": "predict ENSEMBLE FILE --format jsonl -o PATH",
    "check": "check PATH",
    "score, predictions": "score PATH FILE",
    "score, prompts": "score FILE PATH",
    "config validate": "config validate PATH",
    "config show": "config show PATH",
}

LONG = "x" * 5000
PATHS = {
    "empty": ("", "a path is empty"),
    "name too long": (LONG, "file name too long"),
    "path too long": ("x/" * 3000, "file name too long"),
    "home of nobody": ("~nobody-of-this-name/x", "no home folder for '~nobody-of-this-name/x'"),
    "not UTF-8": ("caf\udce9", "caf\\xe9: the name is not UTF-8: rename it"),
    "circle of links": ("circle", "too many levels of symbolic links"),
}


def one_line(lines: list[str], what: str) -> None:
    (line,) = lines
    assert what in line
    assert line.isprintable()
    assert len(line) < 500


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", PATHS)
def test_a_path_that_cannot_be(
    command: str, kind: str, mistake: Mistake, ensemble: Path, small_experiment: Path
) -> None:
    text, what = PATHS[kind]
    Path("circle").symlink_to("circle")
    Path("file").write_text("")
    good = {"ENSEMBLE": ensemble, "EXPERIMENT": small_experiment, "FILE": "file", "PATH": text}
    one_line(mistake(*(good.get(word, word) for word in COMMANDS[command].split())), what)


YAML = {
    "include": "include: VALUE\n",
    "include in a map": "name: x\nensemble: {include: VALUE}\n",
    "artifact": "members: [{plugin: knn-vit-h, artifact: VALUE}]\n",
    "option": "members: [{plugin: knn-vit-h, options: {bank: {prompts: VALUE}}}]\n",
}
VALUES = {
    "NUL": ('"a\\0b"', "a\\x00b: a path cannot hold NUL"),
    "half a surrogate pair": ('"a\\ud800b"', "the name is not UTF-8"),
    "too long": (LONG, "file name too long"),
    "home of nobody": ("~nobody-of-this-name/x", "no home folder for"),
    "circle": ("circle", "too many levels of symbolic links"),
    "no package": ('"package:\\0/x"', "no installed package"),
    "NUL in a package": ('"package:unprompt/a\\0b"', "a path cannot hold NUL"),
}


@pytest.mark.parametrize("block", YAML)
@pytest.mark.parametrize("kind", VALUES)
def test_a_path_in_yaml_that_cannot_be(block: str, kind: str, mistake: Mistake) -> None:
    value, what = VALUES[kind]
    Path("circle").symlink_to("circle")
    Path("x.yaml").write_text(YAML[block].replace("VALUE", value))
    lines = mistake("config", "validate", "x.yaml")
    one_line([line for line in lines if what in line], what)
    assert lines[0].startswith("x.yaml:")
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("./" + LONG, "file name too long"),
        ("~/" + LONG, "file name too long"),
        (LONG, "file name too long"),
        ("~nobody-of-this-name/x", "no home folder for"),
        ("./circle", "too many levels of symbolic links"),
    ],
)
def test_a_path_in_an_override_that_cannot_be(value: str, what: str, mistake: Mistake) -> None:
    Path("circle").symlink_to("circle")
    Path("x.yaml").write_text("members: [{plugin: knn-vit-h}]\n")
    lines = mistake("config", "show", "x.yaml", "--set", f"members.knn-vit-h.artifact={value}")
    one_line(lines, what)
    assert lines[0].startswith("--set members.knn-vit-h.artifact=")


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: path.mkdir(), "a folder, not a file: other"),
        (os.mkfifo, "a device, not a file: other"),
        (lambda path: path.symlink_to("nowhere"), "no such file: other"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "other: cannot be read: not UTF-8"),
    ],
)
def test_an_include_that_is_no_file(
    make: Callable[[Path], object], what: str, mistake: Mistake
) -> None:
    make(Path("other"))
    Path("x.yaml").write_text("include: other\n")
    lines = mistake("config", "show", "x.yaml")
    one_line([line for line in lines if what in line], what)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
@pytest.mark.parametrize("command", ["run", "check", "config validate"])
def test_yaml_that_never_comes_or_never_ends(
    make: Callable[[Path], object], command: str, mistake: Mistake
) -> None:
    make(Path("x.yaml"))
    assert mistake(*command.split(), "x.yaml")


def test_a_member_name_that_no_file_can_have_is_located(mistake: Mistake) -> None:
    Path("x.yaml").write_text(f"members:\n- plugin: knn-vit-h\n  name: {'x' * 300}\n")
    assert mistake("config", "validate", "x.yaml") == [
        "x.yaml:3:3: members.0.name: string should have at most 128 characters"
    ]


@pytest.mark.parametrize("variable", ["UNPROMPT_CACHE_DIR", "XDG_CACHE_HOME"])
def test_a_cache_that_cannot_be(
    variable: str,
    mistake: Mistake,
    ensemble: Path,
    images: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("UNPROMPT_CACHE_DIR")
    monkeypatch.setenv(variable, "~nobody-of-this-name/c")
    (line,) = mistake("predict", ensemble, images, "-o", "out.csv")
    assert line == f"{variable}: no home folder for '~nobody-of-this-name/c'"
