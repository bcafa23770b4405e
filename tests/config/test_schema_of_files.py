"""`config schema` accepts what `config validate` accepts, and refuses clear mistakes."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from unprompt._cli.config import load_any
from unprompt._cli.schema import File, schema
from unprompt._config.source import read
from unprompt._registry.plugins import Registry
from unprompt.errors import UnpromptError

ROOT = Path(__file__).parents[2]
Path_ = tuple[str | int, ...]

ENSEMBLE = """\
name: every-option
text_encoder: {plugin: minilm}
members:
  - plugin: knn-vit-g
    name: first
    weight: 0.5
    options:
      backbone:
        model: ViT-g-14
        checkpoint: here.pth
        preprocess: {size: 64, mean: [0, 0.5, 0.5], std: [1, 0.5, 0.5], interpolation: bilinear}
      bank: {prompts: table.csv, duplicates: true}
      neighbours: 10
      kernel: {name: softmax, temperature: 8, fit: 0}
      views: [identity, hflip, five-crop, {scale: 1.1}]
      evidence: 3
  - plugin: knn-vit-h
    options:
      backbone: {model: "local-dir:some/folder"}
      kernel: {name: power, power: 2, epsilon: 1e-3}
  - plugin: clip-l14
    artifact: learned
    options: {backbone: {model: openai/clip-vit-large-patch14, folder: null}}
  - plugin: clip-l16-384
    options: {backbone: {model: vit_large_patch16_384, pretrained: augreg_in21k_ft_in1k}}
  - plugin: clip-blip
    options:
      backbone: {model: "hf-hub:some/model", pretrained: null}
      mode: best
      captioner: {folder: blip, beams: 3, max_tokens: 20, count: all, prompt: a drawing of}
      use: [flavors, mediums]
      tables: {source: unprompt, flavors: mine.txt, mediums: null}
      exclude: ["^by "]
      max_phrases: 4
      candidates: 16
      chunk: 64
      template: null
  - plugin: clip-blip
    name: short
    options: {captioner: none, tables: clip-interrogator, mode: fast}
"""
EXPERIMENT = """\
name: every-key
data:
  plugin: pairs
  options: {table: table.csv}
  split: {train: 0.7, holdout: 0.2, test: 0.1, group_cosine: 0.8, seed: 3}
ensemble: {include: every-option.yaml, name: other}
search:
  trials: 20
  timeout: 60.5
  sampler: cmaes
  weights: free
  bounds: {first: [0, 0.5]}
  enqueue: [equal]
  storage: study.journal
  space: {first: {neighbours: [5, 10], kernel.temperature: [4.0, 8.0]}}
  drop_members: true
  ablations: [per-dimension]
score: {wordings: 4, bootstrap: 100}
runtime: {precision: auto, workers: 1}
edit_prompts: false
"""
VALUES: list[Any] = [
    *(None, True, 0, 1, -1, 3, 0.5, 1.0, 1e400, "", "text", "5", "none", "knn-vit-h", "minilm"),
    *([], ["text"], [0.5, 0.5], {}, {"x": 1}, {"plugin": "painter"}, {"include": "part.yaml"}),
    *({"model": "x"}, {"folder": "x"}, {"name": "ridge"}, {"name": "ridge", "temperature": 2}),
]


@cache
def validators() -> tuple[Registry, dict[File | None, Draft202012Validator]]:
    registry = Registry()
    own = [claim for claim in registry.claims if claim.distribution == "unprompt"]
    kinds: list[File | None] = ["ensemble", "experiment", "recipe", None]
    made = {kind: schema(kind, registry, own) for kind in kinds}
    for document in made.values():
        Draft202012Validator.check_schema(document)
    return registry, {kind: Draft202012Validator(document) for kind, document in made.items()}


def mistakes(kind: File | None, data: object) -> list[str]:
    """What the schema says of a file's data."""
    found = validators()[1][kind].iter_errors(data)
    return [f"{error.json_path}: {error.message}" for error in found]


def is_accepted(path: Path) -> bool:
    try:
        load_any(path, validators()[0])
    except UnpromptError:
        return False
    return True


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Copies of every YAML file that ships, and two with every key, where they find each other."""
    folder = tmp_path_factory.mktemp("files") / "checkout"
    copies = {}
    for path in sorted([*ROOT.glob("ensembles/*.yaml"), *ROOT.glob("experiments/**/*.yaml")]):
        if "runs" not in path.parts:
            copies[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
    copies["ensembles/every-option.yaml"] = ENSEMBLE
    copies["ensembles/every-key.yaml"] = EXPERIMENT
    for name, text in copies.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return {name: folder / name for name in copies}


def kind_of(name: str) -> File:
    if "/train/" in name:
        return "recipe"
    return "experiment" if "experiments/" in name or name.endswith("every-key.yaml") else "ensemble"


NAMES = [
    *("embedded", "kaggle-68th", "strong", "every-option", "every-key"),
    *("quickstart", "blip-a", "clip-a", "text-b", "vision-a", "vision-b"),
]


def named(files: dict[str, Path], stem: str) -> tuple[File, Path]:
    [name] = [name for name in files if Path(name).stem == stem]
    return kind_of(name), files[name]


def test_what_ships_is_valid_by_its_schema(files: dict[str, Path]) -> None:
    assert {Path(name).stem for name in files} >= set(NAMES)
    for name, path in files.items():
        data = read(path).data
        assert is_accepted(path), name
        assert mistakes(kind_of(name), data) == [], name
        assert mistakes(None, data) == [], name


# Mutations


def places(data: Any, path: Path_ = ()) -> Iterator[Path_]:
    yield path
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        yield from places(value, (*path, key)) if isinstance(value, dict | list) else [(*path, key)]


def at(data: Any, path: Path_) -> Any:
    for step in path:
        data = data[step]
    return data


def maps(data: Any) -> list[Path_]:
    return [path for path in places(data) if isinstance(at(data, path), dict)]


def removed(data: Any, chance: random.Random, folder: Path) -> None:
    path = chance.choice([path for path in places(data) if path])
    del at(data, path[:-1])[path[-1]]


def replaced(data: Any, chance: random.Random, folder: Path) -> None:
    path = chance.choice([path for path in places(data) if path])
    at(data, path[:-1])[path[-1]] = copy.deepcopy(chance.choice(VALUES))


def swapped(data: Any, chance: random.Random, folder: Path) -> None:
    """One value in the place of another: whole options, other names."""
    one, other = chance.sample([path for path in places(data) if path], 2)
    at(data, one[:-1])[one[-1]] = copy.deepcopy(at(data, other))


def nulled(data: Any, chance: random.Random, folder: Path) -> None:
    keys = ("folder", "model", "template", "checkpoint", "penalty", "vocabulary", "mediums", "x")
    at(data, chance.choice(maps(data)))[chance.choice(keys)] = None


def split(data: Any, chance: random.Random, folder: Path) -> None:
    """Some keys of a map in a file that it includes: nothing else changes."""
    node = at(data, chance.choice(maps(data)))
    if "include" in node:
        return
    moved = {key: node[key] for key in node if chance.random() < 0.5}
    for key, value in moved.items():
        if isinstance(value, dict) and chance.random() < 0.5 and len(value) > 1:
            first = chance.choice([*value])
            moved[key] = {first: value[first]}
            value.pop(first)
        else:
            del node[key]
    (folder / "part.yaml").write_text(yaml.safe_dump(moved), encoding="utf-8")
    node["include"] = "part.yaml"


MUTATIONS = [removed, replaced, replaced, swapped, nulled, split, split]


@pytest.mark.parametrize("stem", NAMES)
def test_what_is_accepted_is_valid_by_the_schema(stem: str, files: dict[str, Path]) -> None:
    kind, path = named(files, stem)
    chance, accepted, refused = random.Random(stem), 0, 0
    whole = read(path).data
    target = path.with_name("changed.yaml")
    for _ in range(25):
        path.with_name("part.yaml").write_text("{}")
        data = copy.deepcopy(whole)
        for change in chance.choices(MUTATIONS, k=chance.choice([1, 1, 2])):
            change(data, chance, path.parent)
        target.write_text(yaml.safe_dump(data), encoding="utf-8")
        data = read(target).data
        if is_accepted(target):
            accepted += 1
            assert mistakes(kind, data) == [], yaml.safe_dump(data)
            assert mistakes(None, data) == [], yaml.safe_dump(data)
        else:
            refused += 1
    assert accepted
    assert refused


@pytest.mark.parametrize("stem", ["embedded", "every-option", "every-key", "quickstart", "clip-a"])
def test_an_unknown_key_is_refused_in_every_map(stem: str, files: dict[str, Path]) -> None:
    kind, path = named(files, stem)
    whole = read(path).data
    free = {("search", "space"), ("search", "space", "first"), ("search", "bounds")}
    checked = 0
    for place in maps(whole):
        if place not in free:
            data = copy.deepcopy(whole)
            at(data, place)["no_such_key"] = 1
            assert mistakes(kind, data), place
            checked += 1
    assert checked > 1


Edit = Callable[[Any], object]


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: data["members"][0].update(plugin="knn-vit-x"),
        lambda data: data["members"][0].update(plugin="painter"),  # no predictor
        lambda data: data["members"][0].pop("plugin"),
        lambda data: data["members"][0]["options"].update(backbone={}),
        lambda data: data["members"][0]["options"].update(neighbours=0),
        lambda data: data["members"][0]["options"].update(neighbours="ten"),
        lambda data: data["members"][0]["options"].update(kernel={"name": "power", "penalty": 1}),
        lambda data: data["members"][0]["options"].update(backbone={"folder": "x", "model": "y"}),
        lambda data: data["members"][4]["options"].update(mode="bets"),
        lambda data: data["members"][4]["options"].update(neighbours=3),  # another family's
        lambda data: data["members"][0].update(weight=-1),
        lambda data: data.update(members=[]),
        lambda data: data.update(name="a.b"),
        lambda data: data.update(text_encoder="minilm"),
        lambda data: data.pop("members"),
        lambda data: data["members"][0]["options"].update(neighbours={"$env": 3}),
    ],
)
def test_clear_mistakes_are_refused(edit: Edit, files: dict[str, Path]) -> None:
    kind, path = named(files, "embedded")
    data = read(path).data
    edit(data)
    target = path.with_name("changed.yaml")
    target.write_text(yaml.safe_dump(data), encoding="utf-8")
    assert not is_accepted(target)
    assert mistakes(kind, data)


def test_options_may_come_from_the_environment(files: dict[str, Path]) -> None:
    kind, path = named(files, "embedded")
    data = read(path).data
    data["members"][0]["options"]["backbone"]["folder"] = {"$env": "TOWERS"}
    data["members"][4]["options"]["captioner"] = {"$env": "CAPTIONER"}
    assert mistakes(kind, data) == []
    kind, path = named(files, "every-key")
    data = read(path).data
    data["search"]["storage"] = {"$env": "STORAGE"}
    assert mistakes(kind, data) == []
    data["search"]["study"] = {"$env": "STUDY"}
    assert mistakes(kind, data)


def test_editors_show_descriptions_and_defaults() -> None:
    document = validators()[1]["ensemble"].schema
    options = document["$defs"]["predictor.knn-vit-h.VitHOptions"]["else"]["properties"]
    assert options["neighbours"]["default"] == 100
    assert options["neighbours"]["description"] == (
        "K, the nearest bank rows to use; with kernel auto, the most of them."
    )
    plugins = document["$defs"]["predictor"]["else"]["properties"]["plugin"]["anyOf"]
    summaries = {choice["const"]: choice["description"] for choice in plugins if "const" in choice}
    assert "interrogator" in summaries["clip-blip"]
    assert "painter" not in summaries
