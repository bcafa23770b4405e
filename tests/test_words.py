"""Old words that must not come back: one thing has one name, the one that the field uses."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Each pattern with what is written instead.
TEXT = {
    r"(?i)pictures?(?![a-z])": "image",
    r"(?i)\blessons?\b": "example, or batch",
    r"(?i)rehears": "dry run, dry_run",
    r"(?i)workshop": "context",
    r"(?i)\bdress": "what it does",
    r"(?i)\bbury\b|\bburied\b": "what it does",
    r"(?i)whoami": "what it identifies",
    r"(?i)\btrouble\b": "error, problem",
    r"(?i)\bwatching\b": "observing, progress",
    r"(?i)\bassembly\b": "loading",
    r"\bweights\.yaml": "ensemble.yaml",
    r"--prune\b|\bsearch\.prune\b": "--drop-members: it is trials that Optuna prunes",
    r"\bDESIGN\b": "this repository, a paper or the 68th-place solution",
    r"(?i)\bseed solution\b|\bseed's\b|\bagainst the seed\b|\bthe seed, number\b|seed-68": (
        "the 68th-place solution; a seed is a random seed"
    ),
}
# As part of a name in Python only: in a sentence these are plain English.
NAMES = {"shop": "context", "told": "what it holds"}

# Where an old word has to stay, by file and word, with why.
EXCEPTIONS = {
    ("plugins/unprompt_blip/captioner.py", "picture"): "the instruction that the model is given",
    ("ensembles/kaggle-68th.yaml", "picture"): "the prefix of BLIP's captions in that solution",
    ("plugins/kaggle-68th.md", "picture"): "the same",
    ("tests/parity/formulas.py", "picture"): "the same",
    ("plugins/unprompt_painter/world.py", "picture"): "names a random stream, so it decides pixels",
}
DATA = ("plugins/unprompt_painter/data/",)  # words that the painter's prompts are made of
SUFFIXES = {".css", ".html", ".js", ".md", ".py", ".toml", ".yaml", ".yml"}


def texts() -> dict[str, str]:
    """Every file that people read, by its path from the root."""
    folders = ("core", "plugins", "ensembles", "experiments", "tests", ".github")
    top = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "pyproject.toml"]
    paths = [*top, *(path for name in folders for path in (ROOT / name).rglob("*"))]
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in paths
        if path.suffix in SUFFIXES and path != Path(__file__).resolve() and "runs" not in path.parts
    }


TEXTS = {name: text for name, text in texts().items() if not name.startswith(DATA)}


def uses(pattern: str) -> Iterator[tuple[str, int, str]]:
    """File, line and match of a pattern in paths (line 0) and in what stands in the files."""
    for name, text in TEXTS.items():
        for number, line in enumerate([name, *text.splitlines()]):
            yield from ((name, number, match[0]) for match in re.finditer(pattern, line))


def names(source: str) -> Iterator[tuple[int, str]]:
    """Line and parts of every name in Python source: ``is_told`` is ``is`` and ``told``."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            yield from ((token.start[0], part.lower()) for part in token.string.split("_"))


@pytest.mark.parametrize("pattern", TEXT)
def test_old_words_do_not_come_back(pattern: str) -> None:
    uses_left = [
        f"{name}:{line}: {word}"
        for name, line, word in uses(pattern)
        if (name, word.lower()) not in EXCEPTIONS
    ]
    assert not uses_left, "\n".join([f"write {TEXT[pattern]} instead of:", *uses_left])


def test_old_names_do_not_come_back() -> None:
    uses_left = [
        f"{path}:{line}: {part}; say {NAMES[part]}"
        for path, text in TEXTS.items()
        if path.endswith(".py")
        for line, part in names(text)
        if part in NAMES
    ]
    assert not uses_left, "\n".join(uses_left)


def test_every_exception_is_needed() -> None:
    occurring = {(name, word.lower()) for pattern in TEXT for name, _, word in uses(pattern)}
    assert EXCEPTIONS.keys() - occurring == set()


def test_the_files_that_are_read_are_those_that_people_read() -> None:
    assert len(TEXTS) > 250
    assert {"README.md", "core/README.md", ".github/CONTRIBUTING.md", "tests/conftest.py"} <= set(
        TEXTS
    )
