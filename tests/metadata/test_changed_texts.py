"""Nodes whose text is not what their inputs hold, and which of a graph's nodes drew the image."""

from __future__ import annotations

import json
from typing import Any

import pytest

from unprompt_metadata.dialects import read_prompt
from unprompt_metadata.prompts import ReadPrompt

from .graphs import Nodes, encoded, node, prompt_of, read_graph, reason_of, text_to_image, texts_of

WALL = "a red wall"


def given(text: dict[str, Any]) -> Nodes:
    """A graph whose prompt comes from one node."""
    more = {"t": text, "x": node("LoadImage", image="x.png"), "o": node("Text", text="old")}
    return text_to_image(["e", 0], e=encoded(["t", 0]), **more)


@pytest.mark.parametrize(
    "text",
    [
        node("CaseConverter", string="a wall", mode="UPPERCASE"),
        node("StringTrim", string=" a wall ", mode="Both"),
        node("Text Shuffle", text="a, b"),
        node("Text Remove Tags", text="a, b", tags="b"),
        node("DPJinja", text="a {% for %}"),
        node("DPMagicPrompt", text="a wall"),
        node("FooocusV2Expansion", prompt="a wall"),
        node("easy promptLine", prompt="a\nb", start_index=1),
        node("SomebodysVision", question="", prompt="describe it", image=["x", 0]),
        node("Qwen2_VQA", text="describe it", image=["x", 0]),
        node("PromptBox", text="a wall", prefix="photo of"),
        node("PromptBox", text="a wall", suffix=["o", 0]),
        node("Prompt (LoraManager)", text="a wall", trigger_words=["o", 0]),
        node("TextBox", text="a wall", mode="upper"),
        node("Text String", text="a wall", text_b="a sea"),
        node("workflow/both", **{"text": "a wall", "CLIPTextEncode text": "a sea"}),
        node("BatchPromptSchedule", text='"0": "a wall"'),
    ],
    ids=lambda text: str(text["class_type"]),
)
def test_a_text_that_a_node_changes_is_not_the_prompt(text: dict[str, Any]) -> None:
    reason = reason_of(read_graph(given(text)))
    assert text["class_type"] in reason


@pytest.mark.parametrize(
    "text",
    [
        node("PromptBox", text=WALL, prefix="", suffix="None", mode="fixed"),
        node("easy prompt", text=WALL, prefix="Select the prefix add to the text"),
        node("Text String", text=WALL, text_b="", text_c=""),
        node("PromptStashSaver", use_input_text=False, text=["o", 0], prompt_text=WALL),
        node("PromptStashSaver", use_input_text=True, text=["w", 0], prompt_text="old"),
        node("ImpactWildcardProcessor", populated_text=WALL, wildcard_text="{a|b}", mode="x"),
    ],
    ids=lambda text: str(text["class_type"]),
)
def test_options_that_change_nothing(text: dict[str, Any]) -> None:
    nodes = given(text) | {"w": node("Text", text=WALL)}
    assert prompt_of(read_graph(nodes)) == WALL


def test_a_service_that_draws_is_not_a_language_model() -> None:
    for kind in ("OpenAIGPTImage1", "GeminiImageNode", "OpenAIDalle3"):
        nodes = {"1": node(kind, prompt=WALL), "2": node("SaveImage", images=["1", 0])}
        assert prompt_of(read_graph(nodes)) == WALL
    nodes = {"1": node("GeminiNode", prompt=WALL), "2": node("SaveImage", images=["1", 0])}
    assert "makes its text" in reason_of(read_graph(nodes))


@pytest.mark.parametrize("kind", ["Image Saver", "SDPromptSaver"])
def test_the_text_that_a_saving_node_notes_is_not_what_drew(kind: str) -> None:
    noted = node(kind, images=["8", 0], positive="typed by hand", negative="")
    assert prompt_of(read_graph(text_to_image(_9=noted))) == WALL


def test_samplers_that_save_themselves_or_end_the_graph() -> None:
    loader = node("easy a1111Loader", positive=WALL, negative="blurry")
    shown = {"7": node("LoadImage", image="x"), "8": node("PreviewImage", images=["7", 0])}
    saving = node("easy kSampler", pipe=["1", 0], image_output="Save")
    assert prompt_of(read_graph({"1": loader, "2": saving, **shown})) == WALL
    ending = node("KSampler", positive=["1", 0], negative=["n", 0])
    nodes = {"1": encoded(WALL), "n": encoded("blurry"), "2": ending}
    assert prompt_of(read_graph(nodes)) == WALL
    saved = {"7": node("LoadImage", image="x"), "8": node("SaveImage", images=["7", 0])}
    assert "no sampler" in reason_of(read_graph(nodes | saved))


def test_crossed_wires_swap_the_sides() -> None:
    nodes = text_to_image(
        ["c", 1],
        ["c", 0],
        c=node("ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0]),
    )
    result = read_graph(nodes)
    assert isinstance(result, ReadPrompt)
    assert (result.prompt, result.negative) == ("blurry", WALL)


def test_a_box_whose_text_may_be_an_earlier_one_says_so() -> None:
    result = read_graph(given(node("ShowText|pysssss", text_0=WALL)))
    assert isinstance(result, ReadPrompt)
    assert (result.prompt, result.remark) == (
        WALL,
        "the text of a box that may show what an earlier run made",
    )


def test_the_order_that_a_damaged_workflow_said_is_not_guessed() -> None:
    nodes = text_to_image(
        ["c", 0],
        c=node("ConditioningCombine", conditioning_1=["a", 0], conditioning_2=["b", 0]),
        a=encoded("sky"),
        b=encoded("sea"),
    )
    fields = {"png:prompt": json.dumps(nodes)}
    assert prompt_of(read_prompt(texts_of(fields))) == "sky, sea"
    damaged = texts_of(fields | {"png:workflow": '{"links": ['})
    assert "damaged workflow" in reason_of(read_prompt(damaged))


@pytest.mark.parametrize(
    "inputs",
    [
        {"conditioning_from": ["b", 0], "conditioning_to": ["a", 0]},
        {"conditioning_2": ["b", 0], "conditioning_1": ["a", 0]},
        {"positive_B": ["b", 0], "negative_A": ["7", 0], "positive_A": ["a", 0]},
    ],
)
def test_names_of_inputs_say_their_order(inputs: dict[str, Any]) -> None:
    nodes = text_to_image(["c", 0], c=node("X", **inputs), a=encoded("sky"), b=encoded("sea"))
    expected = "sea, sky" if "positive_B" in inputs else "sky, sea"
    assert prompt_of(read_graph(nodes)) == expected
