"""Texts of strangers: any shape and size gives a prompt, or a reason, in time that grows with it.

Sizes are chosen so that a step of quadratic cost would take minutes.
"""

from __future__ import annotations

import json
import random
from typing import Any
from unittest.mock import ANY

import pytest

from unprompt_metadata.dialects import read_prompt
from unprompt_metadata.dialects.a1111 import split
from unprompt_metadata.fields import Field, FileTexts
from unprompt_metadata.prompts import ReadPrompt, Refusal

from .graphs import encoded, node, prompt_of, read_graph, reason_of, text_to_image, texts_of
from .test_generators import FOOOCUS, NOVELAI_4, SWARM, WEB_UI
from .test_web_ui_text import SETTINGS

SIZE = 1 << 19


@pytest.mark.parametrize(
    "line",
    [
        "a" * SIZE,
        "a " * (SIZE // 2),
        "a:" * (SIZE // 2),
        ":" * SIZE,
        'a: "' * (SIZE // 4),
        'ab: "' + "\\" * SIZE,
        'ab: "' + '\\"' * (SIZE // 2),
        "ab: " + " " * SIZE,
        "ab:c," * (SIZE // 5),
        " " * SIZE + ":",
        "ab:" + '"x",' * (SIZE // 4),
        "Steps: " * (SIZE // 7),
        "[" * SIZE,
    ],
    ids=lambda line: repr(line[:6]),
)
def test_a_line_that_a_pattern_could_stumble_over(line: str) -> None:
    assert split(f"a cat\n{line}\n{SETTINGS}") == (f"a cat\n{line.rstrip()}", None, ANY)
    assert split(f"a cat\n{line}")[0].startswith("a cat")
    for field in ("png:parameters", "png:Dream", "xmp", "png:invokeai_metadata"):
        for text in (line, f"a cat\n{line}", f'"a cat{line}'):
            assert isinstance(read_prompt(texts_of({field: text})), ReadPrompt | Refusal | None)


def test_many_lines() -> None:
    lines = "Steps: 1\n" * 400_000
    for field in ("png:parameters", "exif:UserComment"):
        assert isinstance(read_prompt(texts_of({field: lines})), Refusal | None)
    assert "characters" in reason_of(read_prompt(texts_of({"png:parameters": lines})))
    assert "characters" in reason_of(read_prompt(texts_of({"png:parameters": "x" * 4_000_000})))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
        ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"a":[' + "[]," * 300_000 + "[]]}", "more JSON"),
        ('{"a":[' + "1," * 1_200_000 + "1]}", "more JSON"),
        ('{"a":' + "1" * 5_000 + "}", "digits"),
    ],
    ids=["objects", "lists", "containers", "values", "digits"],
)
def test_json_beyond_what_generators_write(text: str, reason: str) -> None:
    for field in ("png:invokeai_metadata", "png:generation_data"):
        answer = read_prompt(texts_of({field: text}))
        assert answer is None or reason in reason_of(answer)
    assert reason in reason_of(read_prompt(texts_of({"png:prompt": text})))


@pytest.mark.parametrize(
    "text", ["{}", '{"uc": 1, "sampler": 1, "prompt": "a"}', "a\nNegative prompt: b"]
)
def test_many_fields(text: str) -> None:
    for name in ("png:Comment", "png:parameters", "png:prompt", "exif:UserComment", "png:Software"):
        fields = tuple(Field(name, f"{text} ") for _ in range(999))
        answer = read_prompt(FileTexts("PNG", None, (*fields, Field("png:Software", "NovelAI"))))
        assert answer is None or len(str(answer)) < 1_000
        many = FileTexts("PNG", None, fields * 50)
        assert reason_of(read_prompt(many)) == "the file has 49,950 texts"


LENGTH = 10_000


def chain(kind: str, name: str, **more: Any) -> dict[str, Any]:
    """A graph whose positive conditioning comes through 10,000 nodes."""
    nodes = {
        f"c{i}": node(kind, **{name: [f"c{i + 1}" if i + 1 < LENGTH else "6", 0], **more})
        for i in range(LENGTH)
    }
    return text_to_image(["c0", 0], **nodes)


@pytest.mark.parametrize("kind", ["FluxGuidance", "Reroute", "ControlNetApplyAdvanced"])
def test_a_chain_of_ten_thousand_nodes(kind: str) -> None:
    name = {"FluxGuidance": "conditioning", "Reroute": "value"}.get(kind, "positive")
    assert prompt_of(read_graph(chain(kind, name))) == "a red wall"


def test_ten_thousand_samplers_in_a_row() -> None:
    nodes = text_to_image()
    for i in range(LENGTH):
        latent = [f"k{i - 1}" if i else "5", 0]
        nodes[f"k{i}"] = node("KSampler", positive=["6", 0], negative=["7", 0], latent_image=latent)
    nodes["8"]["inputs"]["samples"] = ["k998", 0]
    assert prompt_of(read_graph(nodes)) == "a red wall"
    nodes["8"]["inputs"]["samples"] = [f"k{LENGTH - 1}", 0]
    assert "10,000 samplers" in reason_of(read_graph(nodes))


def test_every_image_of_every_sampler_with_every_text() -> None:
    saved, count = 16, 900
    nodes = text_to_image(
        c0=node("ConditioningCombine", **{f"conditioning_{i}": [f"t{i}", 0] for i in range(150)}),
        **{f"t{i}": encoded(f"wall {i}") for i in range(150)},
    )
    nodes["9"]["inputs"]["images"] = ["k899", 0]
    for i in range(count):
        latent = [f"k{i - 1}" if i else "5", 0]
        nodes[f"k{i}"] = node("KSampler", positive=["c0", 0], latent_image=latent)
    for i in range(saved - 1):
        nodes[f"s{i}"] = node("SaveImage", images=["k898", 0])
    prompt = prompt_of(read_graph(nodes)) or ""
    assert prompt.startswith("wall 0, wall 1, ")
    assert len(prompt.split(", ")) == 150


def test_texts_that_double_at_each_node() -> None:
    nodes = {
        f"c{i}": node(
            "StringConcatenate",
            string_a=[f"c{i + 1}", 0],
            string_b=[f"c{i + 1}", 0],
            delimiter=", ",
        )
        for i in range(LENGTH)
    }
    nodes[f"c{LENGTH}"] = node("Text", text="a wall")
    graph = text_to_image(["e", 0], e=encoded(["c0", 0]), **nodes)
    assert "more text than a prompt" in reason_of(read_graph(graph))


def test_conditionings_that_add_up() -> None:
    nodes = text_to_image(["c0", 0])
    for i in range(LENGTH):
        more = [f"c{i + 1}" if i + 1 < LENGTH else "6", 0]
        nodes[f"t{i}"] = encoded(f"wall {i}")
        nodes[f"c{i}"] = node(
            "ConditioningCombine", conditioning_1=more, conditioning_2=[f"t{i}", 0]
        )
    assert "nodes" in reason_of(read_graph(nodes))
    for i in range(5_000, LENGTH):
        del nodes[f"t{i}"], nodes[f"c{i}"]
    nodes["c4999"]["inputs"]["conditioning_1"] = ["6", 0]
    assert "more text than a prompt" in reason_of(read_graph(nodes))


def test_every_node_linked_to_every_other() -> None:
    count = 300
    nodes = text_to_image(["n0", 0])
    for i in range(count):
        links = {f"conditioning_{j}": [f"n{j}", 0] for j in range(count)}
        nodes[f"n{i}"] = node("ConditioningCombine", **links)
    assert "back to itself" in reason_of(read_graph(nodes))


@pytest.mark.parametrize("kind", ["SaveImage", "LatentUpscale", "KSampler"])
def test_images_that_lead_back_to_themselves(kind: str) -> None:
    nodes = text_to_image(x=node(kind, images=["8", 0], samples=["8", 0], scale_by=2.0))
    nodes["8"]["inputs"]["samples"] = ["x", 0]
    nodes["x"]["inputs"]["image"] = ["3", 0]
    assert prompt_of(read_graph(nodes, size=(512, 512))) in ("a red wall", None)


def test_more_saved_images_than_anybody_has() -> None:
    saved = {f"s{i}": node("SaveImage", images=["8", 0]) for i in range(1_000)}
    assert "saves 1001 images" in reason_of(read_graph(text_to_image(**saved)))


def test_a_reason_is_one_short_line_whatever_names_a_graph_has() -> None:
    nodes = text_to_image(["x\n\x1b[2J", 0])
    nodes["x\n\x1b[2J"] = node("\r\n\x07" + "Evil" * 100_000, a=["6", 0], b=["7", 0])
    reason = reason_of(read_graph(nodes))
    assert reason.isprintable() and len(reason) < 300
    assert "is not known" in reason


VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1e300, float("nan"), "", "a", [], {}, [[]], ["6", 0], ["6", "0"]),
    *(["gone", 0], [6, 0], [None, 0], ["3", 0], {"a": {}}, "\ud800", "\0", [1, 2, 3]),
)


@pytest.mark.parametrize("key", ["positive", "text", "class_type", "inputs", "images", "node"])
def test_values_of_any_type_anywhere(key: str) -> None:
    for value in VALUES:
        nodes = text_to_image()
        if key == "node":
            nodes["6"] = value
        elif key in ("class_type", "inputs"):
            nodes["6"][key] = value
        else:
            owner = {"positive": "3", "text": "6", "images": "9"}[key]
            nodes[owner]["inputs"][key] = value
        for workflow in (
            None,
            {"links": value, "nodes": value},
            {"links": [value], "nodes": [value]},
        ):
            assert isinstance(read_graph(nodes, workflow), ReadPrompt | Refusal | None)


SEEDS = (
    ("png:parameters", WEB_UI),
    ("png:parameters", SWARM),
    ("png:parameters", json.dumps(FOOOCUS)),
    ("png:prompt", json.dumps(text_to_image())),
    ("exif:UserComment", json.dumps({"Comment": NOVELAI_4, "Software": "NovelAI"})),
    ("png:Dream", '"a wall [ugly]" -s 50 -S 42'),
    ("exif:Make", "Prompt: " + json.dumps(text_to_image())),
    ("xmp", "<x:xmpmeta xmlns:x='adobe:ns:meta/'><a>b</a></x:xmpmeta>"),
)
PIECES = (
    "{",
    "}",
    "[",
    "]",
    '"',
    "\\",
    ":",
    ",",
    "\n",
    "Steps: ",
    "Negative prompt:",
    "\0",
    "null",
)


@pytest.mark.parametrize(("field", "text"), SEEDS, ids=[f"{n}-{t[:8]}" for n, t in SEEDS])
def test_mutated_texts(field: str, text: str) -> None:
    """2,000 in all: cut, doubled, overwritten and moved pieces."""
    draw = random.Random(text)
    for _ in range(250):
        letters = list(text)
        for _ in range(draw.randint(1, 6)):
            at, end = sorted(draw.randrange(len(letters) + 1) for _ in range(2))
            letters[at:end] = draw.choice(
                ([], letters[at:end] * 2, [draw.choice(PIECES)], [chr(draw.randrange(0x110000))])
            )
        answer = read_prompt(texts_of({field: "".join(letters)}))
        assert isinstance(answer, ReadPrompt | Refusal | None)
        if isinstance(answer, ReadPrompt):
            assert answer.prompt.strip()
            answer.prompt.encode()  # no lone surrogates: it can be written
