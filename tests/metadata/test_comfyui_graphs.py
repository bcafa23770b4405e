"""Graphs of ComfyUI: the prompt is what the samplers behind the saved image were given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from unprompt_metadata.dialects import read_prompt
from unprompt_metadata.prompts import ReadPrompt

from .graphs import (
    Nodes,
    encoded,
    node,
    prompt_of,
    read_graph,
    reason_of,
    text_to_image,
    texts_of,
)

WALL = "a red wall"


def through(*chain: tuple[str, str, dict[str, Any]]) -> Nodes:
    """A graph whose positive conditioning passes through nodes: kind, input, other inputs."""
    nodes = {"n": node("PrimitiveInt", value=2)}
    nodes |= {
        f"c{i}": node(kind, **{name: [f"c{i - 1}" if i else "6", 0], **more})
        for i, (kind, name, more) in enumerate(chain)
    }
    return text_to_image([f"c{len(chain) - 1}", 0], **nodes)


def test_the_sampler_says_which_text_is_the_prompt() -> None:
    result = read_graph(text_to_image(["7", 0], ["6", 0]))
    assert isinstance(result, ReadPrompt)
    assert (result.prompt, result.negative) == ("blurry", WALL)
    assert (result.generator, result.field) == ("ComfyUI", "png:prompt")


@pytest.mark.parametrize(
    "nodes",
    [
        through(("FluxGuidance", "conditioning", {"guidance": 3.5})),
        through(("ControlNetApply", "conditioning", {"image": ["x", 0], "strength": 1.0})),
        through(("ControlNetApplyAdvanced", "positive", {"negative": ["7", 0], "strength": 1.0})),
        through(("unCLIPConditioning", "conditioning", {"clip_vision_output": ["x", 0]})),
        through(("ConditioningSetArea", "conditioning", {"width": 64}), ("Reroute", "", {})),
        through(("InpaintModelConditioning", "positive", {"negative": ["7", 0]})),
        through(("Context (rgthree)", "positive", {"model": ["4", 0], "negative": ["7", 0]})),
        through(("Any Switch (rgthree)", "any_01", {"any_02": ["7", 0]})),
        through(("ImpactSwitch", "input2", {"input1": ["7", 0], "select": 2})),
        through(("ImpactSwitch", "input2", {"input1": ["7", 0], "select": ["n", 0]})),
        through(("SomebodysSwitch", "input1", {"input2": ["6", 0], "chosen": 2})),
        through(("SomebodysNode", "thing", {"model": ["4", 0], "value": 3})),
        text_to_image(["e", 0], e=encoded(["t", 0]), t=node("PrimitiveString", value=WALL)),
        text_to_image(["e", 0], e=encoded(["t", 0]), t=node("DF_Text_Box", Text=WALL)),
        text_to_image(["e", 0], e=encoded(["t", 0]), t=node("Text Multiline", text=WALL)),
        text_to_image(["e", 0], e=node("Power Prompt (rgthree)", prompt=WALL)),
        text_to_image(["e", 0], e=node("TextEncodeQwenImageEdit", prompt=WALL, clip=["4", 0])),
        text_to_image(["e", 0], e=node("CLIPTextEncodeSDXL", text_g=WALL, text_l=WALL)),
        text_to_image(["e", 0], e=node("CLIPTextEncodeFlux", clip_l="", t5xxl=WALL)),
        text_to_image(["e", 0], e=node("Efficient Loader", positive=WALL, negative="blurry")),
        text_to_image(
            ["e", 0],
            e=node("ImpactWildcardEncode", wildcard_text="a {red|blue} wall", populated_text=WALL),
        ),
        text_to_image(["e", 0], e=node("ConditioningConcat", conditioning_to=["6", 0])),
        text_to_image(
            ["e", 0],
            e=node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["z", 0]),
            z=node("ConditioningZeroOut", conditioning=["7", 0]),
        ),
    ],
    ids=lambda nodes: str(list(nodes.items())[-1][1]["class_type"]),
)
def test_nodes_between_pass_the_text_on(nodes: Nodes) -> None:
    assert prompt_of(read_graph(nodes)) == WALL


@pytest.mark.parametrize(
    ("joining", "expected"),
    [
        (node("StringConcatenate", string_a="a", string_b="b", delimiter=", "), "a, b"),
        (node("StringConcatenate", string_a=["t", 0], string_b="b", delimiter=""), "a wallb"),
        (node("Text Concatenate", text_a="a", text_b=["t", 0], delimiter="\\n"), "a\na wall"),
        (node("Text Concatenate", text_a="a", text_b="", text_c="c", delimiter=" "), "a c"),
        (
            node("JoinStringMulti", string_2="b", string_10="c", string_1="a", delimiter="-"),
            "a-b-c",
        ),
        (
            node(
                "StringFunction|pysssss", action="append", tidy_tags="yes", text_a="a", text_b="b"
            ),
            "a, b",
        ),
        (node("CR Combine Prompt", part1="a", part2="b", separator=","), "a,b,,"),
        (node("CR Text Concatenate", text2=["t", 0], separator=": "), ": a wall"),
        (
            node("Text Concatenate", text_a=" a ", clean_whitespace="true", text_b="b", sep=" "),
            "a b",
        ),
        (node("ConcatStrings", text1="a", text2=""), "a"),
    ],
)
def test_texts_that_a_node_joins(joining: dict[str, Any], expected: str) -> None:
    nodes = text_to_image(["e", 0], e=encoded(["j", 0]), j=joining, t=node("Text", text="a wall"))
    assert prompt_of(read_graph(nodes)) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (node("StringFunction|pysssss", action="replace", text_a="a", text_b="b"), "changes"),
        (node("CR Combine Prompt", part1="a", part2="b", prefix="x", separator=","), "changes"),
        (node("Text Find and Replace", text="a cat", find="cat", replace="dog"), "makes its text"),
        (node("DPRandomGenerator", text="a {red|blue} wall", seed=1), "makes its text"),
        (node("TextGenerate", prompt="describe a wall", clip=["4", 1]), "makes its text"),
        (node("WD14Tagger|pysssss", image=["x", 0]), "makes its text"),
        (node("ConcatStrings", text1="a", text2="b"), "not known"),
        (
            node("Text Concatenate", text_a="a", text_b="b", delimiter="", newline_mode="true"),
            "chan",
        ),
        (node("SomebodysMixer", first=["6", 0], second=["7", 0]), "not known"),
        (node("Text", text=["gone", 0]), "missing"),
        (node("Text", text=["e", 0]), "back to itself"),
        (node("ImpactSwitch", input1="a", input2="b", select=["x", 0]), "chooses"),
        (node("SomebodysSwitch", text1="a", text2="b", chosen=2), "chooses"),
        (node("easy ifElse", boolean=["x", 0], on_true="a", on_false="b"), "chooses"),
    ],
)
def test_a_text_that_is_not_in_the_file_is_not_guessed(text: dict[str, Any], reason: str) -> None:
    nodes = text_to_image(["e", 0], e=encoded(["t", 0]), t=text, x=node("LoadImage", image="x.png"))
    assert reason in reason_of(read_graph(nodes))


def test_a_web_uis_text_beside_helps_where_a_graph_cannot_be_traced() -> None:
    nodes = text_to_image(
        ["e", 0], e=encoded(["t", 0]), t=node("DPRandomGenerator", text="a {b|c}")
    )
    settings = "a b\nSteps: 20, Sampler: x, Seed: 1, Version: ComfyUI"
    fields = {"png:prompt": json.dumps(nodes), "png:parameters": settings}
    result = read_prompt(texts_of(fields))
    assert isinstance(result, ReadPrompt)
    assert (result.prompt, result.generator, result.field) == ("a b", "ComfyUI", "png:parameters")


def test_regions_are_read_in_the_order_in_which_they_were_wired() -> None:
    nodes = text_to_image(
        ["c", 0],
        c=node("ConditioningCombine", conditioning_1=["a", 0], conditioning_2=["b", 0]),
        a=encoded("sky\n"),
        b=encoded("sea"),
    )
    assert prompt_of(read_graph(nodes)) == "sky, sea"
    links = [[1, "b", 0, "c", 1, "CONDITIONING"], [2, "a", 0, "c", 0, "CONDITIONING"]]
    assert prompt_of(read_graph(nodes, {"links": links})) == "sea, sky"
    nodes["c"]["class_type"] = "ConditioningConcat"
    assert prompt_of(read_graph(nodes, {"links": links})) == "sky, sea"


def two_passes(second: str, *, both_saved: bool = False) -> Nodes:
    nodes = text_to_image(
        s=encoded(second),
        up=node("LatentUpscale", width=1024, height=1024, samples=["3", 0]),
        k2=node(
            "KSampler", positive=["s", 0], negative=["7", 0], latent_image=["up", 0], denoise=0.5
        ),
        d2=node("VAEDecode", samples=["k2", 0]),
    )
    if both_saved:
        nodes["save2"] = node("SaveImage", images=["d2", 0])
    else:
        nodes["9"]["inputs"]["images"] = ["d2", 0]
    return nodes


def test_both_passes_are_in_the_image() -> None:
    assert prompt_of(read_graph(two_passes(WALL))) == WALL
    assert prompt_of(read_graph(two_passes("fine bricks"))) == "a red wall, fine bricks"


def test_of_two_saved_images_the_size_says_which_it_is() -> None:
    nodes = two_passes("fine bricks", both_saved=True)
    assert prompt_of(read_graph(nodes, size=(512, 512))) == WALL
    assert prompt_of(read_graph(nodes, size=(1024, 1024))) == "a red wall, fine bricks"
    assert prompt_of(read_graph(nodes, size=(1, 1))) == "a red wall, fine bricks"


def test_two_saved_images_of_two_prompts_are_ambiguous() -> None:
    nodes = text_to_image()
    other = {f"o{key}": value for key, value in text_to_image(["o6", 0]).items()}
    for item in other.values():
        item["inputs"] = {
            name: [f"o{value[0]}", value[1]] if isinstance(value, list) else value
            for name, value in item["inputs"].items()
        }
    other["o3"]["inputs"]["positive"] = ["o6", 0]
    assert prompt_of(read_graph({**nodes, **other})) == WALL
    other["o6"]["inputs"]["text"] = "a blue sea"
    assert "several images" in reason_of(read_graph({**nodes, **other}))


def test_a_sampler_beside_the_saved_image_does_not_matter() -> None:
    nodes = text_to_image(
        a=encoded("another"),
        k=node("KSampler", positive=["a", 0], negative=["7", 0]),
        p=node("PreviewImage", images=["d", 0]),
        d=node("VAEDecode", samples=["k", 0]),
    )
    assert prompt_of(read_graph(nodes)) == WALL


def test_detailers_repaint_parts() -> None:
    nodes = text_to_image(
        f=encoded("a face"),
        d=node("FaceDetailer", image=["8", 0], positive=["f", 0], negative=["7", 0]),
    )
    nodes["9"]["inputs"]["images"] = ["d", 0]
    assert prompt_of(read_graph(nodes)) == WALL
    nodes["d"]["inputs"]["image"] = ["l", 0]
    nodes["l"] = node("LoadImage", image="x.png")
    assert prompt_of(read_graph(nodes)) == "a face"


@pytest.mark.parametrize(
    "sampler",
    [
        {
            "3": node("SamplerCustomAdvanced", guider=["g", 0], latent_image=["5", 0]),
            "g": node("CFGGuider", model=["4", 0], positive=["6", 0], negative=["7", 0], cfg=5.0),
        },
        {
            "3": node("SamplerCustomAdvanced", guider=["g", 0], latent_image=["5", 0]),
            "g": node("BasicGuider", model=["4", 0], conditioning=["6", 0]),
        },
        {
            "3": node("KSampler //Inspire pipe", basic_pipe=["p", 0], latent_image=["5", 0]),
            "p": node("ToBasicPipe", model=["4", 0], positive=["6", 0], negative=["7", 0]),
        },
        {
            "3": node("WanVideoSampler", text_embeds=["w", 0], model=["4", 0]),
            "w": node("WanVideoTextEncode", positive_prompt=WALL, negative_prompt="blurry"),
        },
        {
            "3": node("easy kSampler", pipe=["p", 0]),
            "p": node("easy preSampling", pipe=["l", 0]),
            "l": node("easy fullLoader", positive=WALL, negative="blurry", ckpt_name="m"),
        },
    ],
    ids=lambda nodes: str(nodes["3"]["class_type"]),
)
def test_samplers_that_are_given_both_sides_at_once(sampler: Nodes) -> None:
    result = read_graph({**text_to_image(), **sampler})
    assert isinstance(result, ReadPrompt)
    assert result.prompt == WALL
    assert result.negative == ("" if "conditioning" in str(sampler) else "blurry")


def test_a_node_that_has_a_service_draw() -> None:
    nodes = {
        "1": node("FluxProUltraImageNode", prompt=["2", 0], seed=1),
        "2": node("PrimitiveStringMultiline", value=WALL),
        "3": node("SaveImage", images=["1", 0]),
    }
    assert prompt_of(read_graph(nodes)) == WALL
    nodes["1"] = node("LoadImage", image="x.png")
    assert "no sampler" in reason_of(read_graph(nodes))


@pytest.mark.parametrize("chosen", [True, False, ["b", 0]])
def test_a_prompt_enhancer_leaves_what_the_user_wrote(chosen: Any) -> None:
    nodes = text_to_image(
        ["e", 0],
        e=encoded(["v", 0]),
        v=node("PreviewAny", source=["s", 0]),
        s=node("ComfySwitchNode", switch=chosen, on_true=["g", 0], on_false=["u", 0]),
        g=node("TextGenerate", prompt=["u", 0], clip=["4", 1]),
        u=node("PrimitiveStringMultiline", value=WALL),
        b=node("PrimitiveBoolean", value=True),
    )
    result = read_graph(nodes)
    assert isinstance(result, ReadPrompt)
    assert result.prompt == WALL
    assert (result.remark is None) == (chosen is False)


def test_a_box_that_shows_a_text_has_it_in_the_workflow() -> None:
    nodes = text_to_image(
        ["e", 0],
        e=encoded(["s", 0]),
        s=node("ShowText|pysssss", text=["g", 0], text_0="of the run before"),
        g=node("TextGenerate", prompt="enhance"),
    )
    workflow = {"nodes": [{"id": "s", "widgets_values": [["of this run"]]}], "links": []}
    assert prompt_of(read_graph(nodes, workflow)) == "of this run"
    assert prompt_of(read_graph(nodes)) == "of the run before"
    nodes["g"] = node("Text", text=WALL)
    assert prompt_of(read_graph(nodes, workflow)) == WALL


def test_a_workflow_alone_is_refused() -> None:
    workflow = {"nodes": [{"id": 1, "type": "CLIPTextEncode", "widgets_values": ["a cat"]}]}
    answer = read_prompt(texts_of({"png:workflow": json.dumps(workflow)}))
    assert "without the graph" in reason_of(answer)


def test_nan_and_trailing_nuls() -> None:
    text = json.dumps(text_to_image(x=node("PreviewImage", value=float("nan")))) + "\0\0"
    assert "NaN" in text
    assert prompt_of(read_prompt(texts_of({"png:prompt": text}))) == WALL


@pytest.mark.parametrize(
    "fields",
    [
        {"exif:Make": "workflow:{}", "exif:Model": "prompt:GRAPH"},
        {"exif:ImageDescription": "Workflow: {}", "exif:Make": "Prompt: GRAPH"},
        {"exif:UserComment": '{"prompt": GRAPH, "workflow": {"links": []}}'},
        {"exif:UserComment": "GRAPH"},
        {"exif:Make": "GRAPH"},
    ],
)
def test_where_other_formats_have_the_graph(fields: dict[str, str]) -> None:
    graph = json.dumps(text_to_image())
    filled = {name: text.replace("GRAPH", graph) for name, text in fields.items()}
    assert prompt_of(read_prompt(texts_of(filled, form="WEBP"))) == WALL


def test_civitai_adds_an_object() -> None:
    extra = json.dumps({"prompt": "a blue sea", "negativePrompt": "ugly"})
    result = read_graph({**text_to_image(), "extraMetadata": extra, "extra": {"airs": []}})
    assert isinstance(result, ReadPrompt)
    assert (result.prompt, result.generator) == (WALL, "Civitai")
    enlarged = {
        "1": node("LoadImage", image="x"),
        "2": node("SaveImage", images=["1", 0]),
        "extraMetadata": extra,
    }
    result = read_graph(enlarged)
    assert isinstance(result, ReadPrompt)
    assert (result.prompt, result.negative) == ("a blue sea", "ugly")
