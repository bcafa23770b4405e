"""Each objective takes the options that it reads; any other is one line at its place."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml

from unprompt._recipes.recipe import Recipe, load_recipe
from unprompt._registry.plugins import Registry
from unprompt.errors import ConfigError
from unprompt.train.options import FitOptions

OBJECTIVES = ("contrastive", "regression", "captioning")  # `text` is below
CLIP = "belongs to objective contrastive"
EMBEDS = "belongs to objective regression or captioning"
HAS_TEXT = "belongs to objective text or contrastive or captioning"
PLAIN = "does nothing without `contrast`"
KEPT = "vocabulary: does nothing with `start`, whose tokenizer is kept"
WORDLESS = "wordings: does nothing without `words`"
TEACHERLESS = "distill: does nothing without `teacher`"
RUNTIME = "runtime: {device: cuda:0, precision: auto, batch_size: 8, workers: 1}"

# Options, and the lines that each of OBJECTIVES answers them with; none: it reads them all.
# From the losses: CLIP's has no term for `contrast` and no teacher, and a regression has no text.
TABLE: dict[str, tuple[list[str], list[str], list[str]]] = {
    "alike: 2.0": ([], [f"alike: {PLAIN}"], [f"alike: {PLAIN}"]),
    "contrast: 0.5\nalike: 2.0\ncandidates: 8": (
        [f"contrast: {EMBEDS}", "candidates: does nothing without `freeze_text`"],
        [],
        [],
    ),
    "vocabulary: 600": ([], [f"vocabulary: {HAS_TEXT}"], []),
    "contrast: 0.5": ([f"contrast: {EMBEDS}"], [], []),
    "teacher: some/folder": ([f"teacher: {EMBEDS}"], [], []),
    "teacher: some/folder\ndistill: 1.0": (
        [f"teacher: {EMBEDS}", f"distill: {EMBEDS}"],
        [],
        [],
    ),
    "distill: 1.0": ([f"distill: {EMBEDS}"], [TEACHERLESS], [TEACHERLESS]),
    "words: 1.0": ([], [], []),
    "words: 1.0\nwordings: 4": ([], [], []),
    "wordings: 4": ([WORDLESS], [WORDLESS], [WORDLESS]),
    "text_encoder: {plugin: minilm}": (
        ["text_encoder: does nothing: images and texts meet in a space of their own"],
        [],
        [],
    ),
    "start: some/folder\nfreeze_text: true\ncandidates: 8": (
        [],
        [f"freeze_text: {CLIP}", f"candidates: {PLAIN}"],
        [f"freeze_text: {CLIP}", f"candidates: {PLAIN}"],
    ),
    "freeze_text: true": (
        ["freeze_text: needs `start`, a text tower that has learned something"],
        [f"freeze_text: {CLIP}"],
        [f"freeze_text: {CLIP}"],
    ),
    "start: some/folder": ([], [], []),
    "start: some/folder\nvocabulary: 600": ([KEPT], [f"vocabulary: {HAS_TEXT}"], [KEPT]),
    "training: {epochs: 3, batch_size: 16, learning_rate: 0.5, ema: 0.5}": ([], [], []),
    "validation: 16": ([], [], []),
    "test: 16": ([], [], []),
    RUNTIME: ([], [], []),
}


def load(folder: Path, objective: str, options: str) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(
        f"name: some\nobjective: {objective}\ntower: some/tower\n"
        f"data: {{plugin: painter, options: {{images: 10}}}}\n{options}\n"
    )
    return load_recipe(path, Registry())


@pytest.mark.parametrize("options", TABLE)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_an_objective_takes_what_it_reads(objective: str, options: str, tmp_path: Path) -> None:
    expected = TABLE[options][OBJECTIVES.index(objective)]
    if expected:
        with pytest.raises(ConfigError) as caught:
            load(tmp_path, objective, options)
        names = [option.split(":")[0] for option in options.splitlines()]
        lines = {line.split(":")[0]: names.index(line.split(":")[0]) + 5 for line in expected}
        assert list(caught.value.problems) == [
            f"{tmp_path}/recipe.yaml:{lines[line.split(':')[0]]}:1: {line}" for line in expected
        ]
    else:
        config = load(tmp_path, objective, options).config.model_dump(mode="json")
        for name, value in yaml.safe_load(options).items():
            path = str(tmp_path / value) if name in ("start", "teacher") else value
            if name == "training":
                assert config[name] == FitOptions(**value).model_dump(mode="json")
                continue
            assert config[name] == (value | {"options": {}} if name == "text_encoder" else path)


def test_all_options_that_nothing_reads_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "name: bad\n"
        "objective: regression\n"
        "tower: .\n"
        "data: {plugin: painter}\n"
        "wordings: 3\n"
        "vocabulary: 600\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_recipe(path, Registry(), ("freeze_text=true",))
    assert sorted(caught.value.problems) == [
        "--set freeze_text=true: freeze_text: belongs to objective contrastive",
        f"{path}:5:1: wordings: does nothing without `words`",
        f"{path}:6:1: vocabulary: belongs to objective text or contrastive or captioning",
    ]


@pytest.mark.parametrize(
    ("objective", "what"),
    [
        ("objective: guessing\n", "got the text 'guessing'"),
        ("objective: [contrastive]\n", "got a list"),
        ("objective:\n", "got nothing"),
    ],
)
def test_an_unknown_objective_is_one_line(objective: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(f"name: bad\n{objective}tower: .\ndata: {{plugin: painter}}\nvalidaton: 3\n")
    with pytest.raises(ConfigError) as caught:
        load_recipe(path, Registry())
    first, second = caught.value.problems
    known = "'text', 'contrastive', 'regression' or 'captioning'"
    assert first == f"{path}:2:1: objective: should be one of {known}, {what}"
    assert second == f"{path}:5:1: validaton: unknown key; did you mean 'validation'?"


def test_a_recipe_that_is_no_map_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("- name: bad\n")
    with pytest.raises(ConfigError) as caught:
        load_recipe(path, Registry())
    assert caught.value.problems == (f"{path}:1:1: should be a map, got a list",)


def test_a_recipe_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe(tmp_path / "none.yaml", Registry())
    (line,) = caught.value.problems
    assert line == f"{tmp_path / 'none.yaml'}: cannot be read: no such file or directory"


@pytest.mark.parametrize(
    ("objective", "options"),
    [
        *itertools.product(OBJECTIVES, ("", "start: some/folder")),
        ("contrastive", "alike: 1.0"),
        ("text", "relations: 2.0"),
    ],
)
def test_a_resolved_recipe_says_the_same_again(
    objective: str, options: str, tmp_path: Path
) -> None:
    first = load(tmp_path, objective, options).plain()
    path = tmp_path / "resolved.yaml"
    path.write_text(yaml.safe_dump(first))
    assert load_recipe(path, Registry()).plain() == first
    assert ("text_encoder" in first) == (objective != "contrastive")
