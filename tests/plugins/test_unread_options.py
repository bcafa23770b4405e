"""An option that its choice never reads is one located line; what is read stays accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unprompt._config.source import parse
from unprompt._registry.loading import load_ensemble
from unprompt._registry.plugins import Registry
from unprompt.errors import ConfigError

KNN = ("knn-vit-g", "knn-vit-h")
OPEN_CLIP = (*KNN, "clip-blip")
FAMILIES = (*OPEN_CLIP, "clip-l14", "clip-l16-384")
PREPROCESS = "preprocess: {size: 9, mean: [0, 0, 0], std: [1, 1, 1]}"
SOFTMAX, POWER, RIDGE, RANK = (f"`name: {name}`" for name in ("softmax", "power", "ridge", "rank"))
MODES = ("caption", "template", "classic", "fast", "best", "negative")

# Families, their options as YAML, and the option that has no effect with what is said of it.
UNREAD: list[tuple[tuple[str, ...], str, str, str]] = [
    # kNN: each kernel has its own numbers; softmax is the default.
    (KNN, "kernel: {power: 6}", "kernel.power", f"with {SOFTMAX}: it belongs to {POWER}"),
    (KNN, "kernel: {epsilon: 1}", "kernel.epsilon", f"with {SOFTMAX}: it belongs to {POWER}"),
    (KNN, "kernel: {penalty: 1}", "kernel.penalty", f"with {SOFTMAX}: it belongs to {RIDGE}"),
    (
        KNN,
        "kernel: {name: power, temperature: 20}",
        "kernel.temperature",
        f"with {POWER}: it belongs to {SOFTMAX}",
    ),
    (
        KNN,
        "kernel: {name: power, penalty: 1}",
        "kernel.penalty",
        f"with {POWER}: it belongs to {RIDGE}",
    ),
    (
        KNN,
        "kernel: {name: rank, temperature: 20}",
        "kernel.temperature",
        f"with {RANK}: it belongs to {SOFTMAX}",
    ),
    (
        KNN,
        "kernel: {name: auto, penalty: 1}",
        "kernel.penalty",
        f"with `name: auto`: it belongs to {RIDGE}",
    ),
    (
        KNN,
        "kernel: {among: [ridge]}",
        "kernel.among",
        f"with {SOFTMAX}: it belongs to `name: auto`",
    ),
    (
        KNN,
        "queries: {part: 1}",
        "queries.part",
        "with `name: images`: it belongs to `name: captions`",
    ),
    (
        KNN,
        "count_power: 1, bank: {duplicates: true}",
        "count_power",
        "with `bank.duplicates: true`: each row is there once",
    ),
    (
        KNN,
        "kernel: {name: ridge, temperature: 20}",
        "kernel.temperature",
        f"with {RIDGE}: it belongs to {SOFTMAX}",
    ),
    (
        KNN,
        "kernel: {name: ridge, power: 6}",
        "kernel.power",
        f"with {RIDGE}: it belongs to {POWER}",
    ),
    (
        KNN,
        "kernel: {name: ridge, epsilon: 1}",
        "kernel.epsilon",
        f"with {RIDGE}: it belongs to {POWER}",
    ),
    # Backbones: a folder and a repository of the hub hold everything.
    (
        OPEN_CLIP,
        "backbone: {folder: f, pretrained: t}",
        "backbone.pretrained",
        "with `folder`: it belongs to `model` and `checkpoint`",
    ),
    (
        ("clip-l16-384",),
        "backbone: {folder: f, pretrained: t}",
        "backbone.pretrained",
        "with `folder`: it belongs to `model`",
    ),
    (FAMILIES, "backbone: {folder: f, checkpoint: c}", "backbone.checkpoint", "with `folder`"),
    (
        FAMILIES,
        "backbone: {model: 'local-dir:f', checkpoint: c}",
        "backbone.checkpoint",
        "with `folder`",
    ),
    (
        OPEN_CLIP,
        "backbone: {model: 'hf-hub:a/b', pretrained: t}",
        "backbone.pretrained",
        "with `model: hf-hub:...`: it belongs to `model` and `checkpoint`",
    ),
    (
        OPEN_CLIP,
        "backbone: {model: 'hf-hub:a/b', checkpoint: c}",
        "backbone.checkpoint",
        "with `model: hf-hub:...`",
    ),
    *(
        (
            ("clip-l14",),
            f"backbone: {{{source}, pretrained: no-such-tag}}",
            "backbone.pretrained",
            "with a model of transformers: hub ids have no tags",
        )
        for source in ("model: a/b", "folder: f", "model: a/b, checkpoint: c")
    ),
    (
        ("clip-l16-384",),
        f"backbone: {{model: m, checkpoint: c, pretrained: t, {PREPROCESS}}}",
        "backbone.pretrained",
        "with `checkpoint`: it belongs to `model`",
    ),
    # The interrogator: what each mode does not read.
    *(
        (("clip-blip",), f"{{mode: {mode}, {option}: {value}}}", option, f"with `mode: {mode}`")
        for option, value, readers in (
            ("template", "'{caption}'", {"template"}),
            ("captioner", "blip-base", set(MODES) - {"negative"}),
            ("flavors", 2, {"template", "classic", "best"}),
            ("max_phrases", 2, {"fast", "best", "negative"}),
            ("candidates", 2, {"best"}),
            ("chunk", 2, {"best"}),
        )
        for mode in MODES
        if mode not in readers
    ),
    (
        ("clip-blip",),
        "{template: '{flavors}', captioner: blip-base}",
        "captioner",
        "with a `template` that does not name {caption}",
    ),
    (
        ("clip-blip",),
        "{template: '{caption}', flavors: 2}",
        "flavors",
        "with a `template` that does not name {flavors} or {negative}",
    ),
    *(
        (
            ("clip-blip",),
            f"captioner: {{model: none, {option}: {value}}}",
            f"captioner.{option}",
            "with `model: none`: it belongs to `model` and `folder`",
        )
        for option, value in (("beams", 2), ("max_tokens", 9), ("min_tokens", 1), ("prompt", "a"))
    ),
    (
        ("clip-blip",),
        "tables: {folder: f, source: clip-interrogator}",
        "tables.source",
        "with `folder`",
    ),
    (
        ("clip-blip",),
        "{use: [flavors], tables: {mediums: m}}",
        "tables.mediums",
        "beside `use: [flavors]`",
    ),
    *(
        (
            ("clip-blip",),
            f"{{use: [flavors], tables: {{flavors: x, {option}}}}}",
            f"tables.{option.partition(':')[0]}",
            "where every table that is used has a file",
        )
        for option in ("folder: f", "source: clip-interrogator")
    ),
]

READ: list[tuple[tuple[str, ...], str]] = [
    (KNN, "kernel: {temperature: 50, fit: 9}"),  # as given where nothing can be fitted
    (KNN, "kernel: {name: softmax, temperature: 50}"),
    (KNN, "kernel: {name: power, power: 3, epsilon: 1}"),
    (KNN, "kernel: {name: ridge, penalty: 1, fit: 9}"),
    (KNN, "kernel: {name: ridge, temperature: null}"),  # takes back what an included file says
    (KNN, "{neighbours: 9, bank: {prompts: p.csv}}"),
    (FAMILIES, "{views: [identity, {scale: 1.1}], evidence: 3}"),
    (FAMILIES, f"backbone: {{folder: f, {PREPROCESS}}}"),
    (FAMILIES, f"backbone: {{model: m, checkpoint: c, {PREPROCESS}}}"),
    (FAMILIES, f"backbone: {{model: m, {PREPROCESS}}}"),
    (FAMILIES, "backbone: {model: null, folder: f, pretrained: null}"),
    ((*OPEN_CLIP, "clip-l16-384"), "backbone: {model: m, pretrained: t}"),
    (OPEN_CLIP, "backbone: {model: m, pretrained: t, checkpoint: c}"),
    (OPEN_CLIP, "backbone: {model: 'hf-hub:a/b'}"),
    (("clip-l14",), "backbone: {model: a/b, checkpoint: c}"),
    (("clip-l14", "clip-l16-384"), "penalties: [1]"),
    (("clip-blip",), "{mode: caption, captioner: {max_tokens: 9, beams: 2, prompt: a}}"),
    (("clip-blip",), "{template: '{caption}, {negative}', flavors: 2, captioner: blip-base}"),
    (("clip-blip",), "{mode: classic, flavors: 2, captioner: {folder: f, min_tokens: 2}}"),
    (("clip-blip",), "{mode: fast, max_phrases: 2}"),
    (("clip-blip",), "{mode: best, flavors: 2, max_phrases: 2, candidates: 2, chunk: 2}"),
    (("clip-blip",), "{mode: best, candidates: null, chunk: null}"),
    *(
        (("clip-blip",), f"{{mode: {mode}, captioner: none}}")
        for mode in MODES
        if mode != "caption"
    ),
    (("clip-blip",), "{mode: negative, max_phrases: 2, captioner: none}"),
    (("clip-blip",), "{tables: {folder: f, mediums: m}, exclude: [x], use: [mediums, flavors]}"),
    (("clip-blip",), "{use: [flavors], tables: {source: unprompt, flavors: x}}"),
]


def cases(table: list[Any]) -> list[Any]:
    return [
        pytest.param(family, *row, id=f"{family}: {row[0]}")
        for families, *row in table
        for family in families
    ]


def write(family: str, options: str, folder: Path) -> Path:
    """An ensemble of one member, its options in flow style on line 4."""
    path = folder / "e.yaml"
    inner = options if options.startswith("{") else f"{{{options}}}"
    path.write_text(f"members:\n  - plugin: {family}\n    options:\n      {inner}\n")
    return path


@pytest.mark.parametrize(("family", "options", "key", "why"), cases(UNREAD))
def test_an_option_that_is_not_read_is_one_line_at_its_key(
    family: str, options: str, key: str, why: str, tmp_path: Path
) -> None:
    path = write(family, options, tmp_path)
    column = parse(path.read_text(), "e.yaml").marks[("members", 0, "options", *key.split("."))]
    with pytest.raises(ConfigError) as caught:
        load_ensemble(path, Registry())
    start = f"{path}:4:{column.column}: members.0.options.{key}"
    assert caught.value.problems == (f"{start}: has no effect {why}",)


@pytest.mark.parametrize(("family", "options"), cases(READ))
def test_what_is_read_is_accepted_and_can_be_written_and_read(
    family: str, options: str, tmp_path: Path
) -> None:
    ensemble = load_ensemble(write(family, options, tmp_path), Registry())
    again = tmp_path / "again.yaml"
    again.write_text(json.dumps(ensemble.plain()))
    assert load_ensemble(again, Registry()) == ensemble


def test_all_mistakes_of_a_choice_come_at_once(tmp_path: Path) -> None:
    kernel = "kernel: {name: ridge, penlty: 1, power: 3, penalty: 0}"
    with pytest.raises(ConfigError) as caught:
        load_ensemble(write("knn-vit-h", kernel, tmp_path), Registry())
    assert [line.partition("options.kernel.")[2] for line in caught.value.problems] == [
        "penlty: unknown key; did you mean 'penalty'?",
        f"power: has no effect with {RIDGE}: it belongs to {POWER}",
        "penalty: should be more than 0, got 0",
    ]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("kernel: 3", "kernel: should be a map, got 3"),
        (
            "kernel: {name: gauss}",
            "kernel.name: should be one of 'softmax', 'power', 'ridge', 'rank' or 'auto', "
            + "got the text 'gauss'",
        ),
        ("backbone: {pretrained: t}", "backbone: should have either `model` or `folder`"),
        ("backbone: {model: m, folder: f}", "backbone: should have either `model` or `folder`"),
        ("backbone: clip", "backbone: should be a map, got the text 'clip'"),
        (
            "backbone: {folder: f, weights: w}",
            "backbone.weights: unknown key",
        ),
    ],
)
def test_what_makes_no_choice_is_one_line(options: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_ensemble(write("knn-vit-h", options, tmp_path), Registry())
    (problem,) = caught.value.problems
    assert problem.endswith(f"members.0.options.{line}")


def test_a_local_dir_starts_at_the_file_that_says_it(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "p.yaml").write_text("backbone: {model: 'local-dir:tower'}\n")
    ensemble = load_ensemble(write("clip-l14", "include: parts/p.yaml", tmp_path), Registry())
    options = ensemble.members[0].part.options.model_dump(mode="json")
    assert options["backbone"]["folder"] == str(tmp_path / "parts" / "tower")
