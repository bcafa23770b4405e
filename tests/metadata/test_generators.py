"""A file of each generator and format, as the generator writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from pathlib import Path

import pytest

from unprompt_metadata.dialects import read_prompt
from unprompt_metadata.files import read_texts
from unprompt_metadata.prompts import ReadPrompt

from .graphs import prompt_of, reason_of, text_to_image, texts_of
from .writing import write_avif, write_gif, write_jpeg_exif, write_png, write_stealth, write_webp

PROMPT = "a café, 猫と夜空 🐈,\n(best quality:1.2)"
NEGATIVE = "ugly, 悪い"
WEB_UI = f"{PROMPT}\nNegative prompt: {NEGATIVE}\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 8x6"
GRAPH = json.dumps(text_to_image())
SWARM = json.dumps({"sui_image_params": {"prompt": PROMPT, "negativeprompt": NEGATIVE}, "x": {}})
NOVELAI_3 = json.dumps({"prompt": PROMPT, "uc": NEGATIVE, "sampler": "k_euler", "steps": 28})
CAPTIONS = {
    "base_caption": PROMPT,
    "char_captions": [{"char_caption": "girl, red hair"}, {"char_caption": ""}, {}],
}
NOVELAI_4 = json.dumps(
    {
        "prompt": "another",
        "v4_prompt": {"caption": CAPTIONS},
        "v4_negative_prompt": {"caption": {"base_caption": NEGATIVE, "char_captions": []}},
    }
)
NOVELAI = {"Software": "NovelAI", "Source": "NovelAI Diffusion V4 37442FCA", "Title": "x"}
FOOOCUS = {
    "prompt": "a goldfish",
    "full_prompt": [PROMPT, "more"],
    "negative_prompt": NEGATIVE,
    "base_model": "m",
    "performance": "Speed",
    "metadata_scheme": "fooocus",
}
SPACE = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "resolution": "8 x 6", "Model": "m"}
RUINED = {"Prompt": f" {PROMPT} ", "Negative": NEGATIVE, "software": "RuinedFooocus", "steps": 30}
TENSOR = json.dumps({"prompt": PROMPT, "negativePrompt": NEGATIVE}) + "\0"
MATRIX = json.dumps({"PositivePrompt": PROMPT, "NegativePrompt": NEGATIVE, "Steps": 20})
INVOKE = json.dumps({"positive_prompt": PROMPT, "negative_prompt": NEGATIVE, "app_version": "4"})
DRAW_THINGS = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    ' xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<xmp:CreatorTool>Draw Things</xmp:CreatorTool>"
    '<exif:UserComment><rdf:Alt><rdf:li xml:lang="x-default">'
    + escape(json.dumps({"c": PROMPT, "uc": NEGATIVE, "size": "8x6"}))
    + "</rdf:li></rdf:Alt></exif:UserComment></rdf:Description></rdf:RDF></x:xmpmeta>"
)

Writer = Callable[[Path], Path]


def png(fields: dict[str, str]) -> Writer:
    return lambda folder: write_png(folder / "image.png", fields)


def jpeg(comment: str) -> Writer:
    return lambda folder: write_jpeg_exif(folder / "image.jpg", comment)


def webp(comment: str) -> Writer:
    return lambda folder: write_webp(folder / "image.webp", comment)


FILES: dict[str, tuple[Writer, str, str, str]] = {
    "A1111 PNG": (png({"parameters": WEB_UI}), "A1111", "png:parameters", PROMPT),
    "A1111 JPEG": (jpeg(WEB_UI), "A1111", "exif:UserComment", PROMPT),
    "A1111 WebP": (webp(WEB_UI), "A1111", "exif:UserComment", PROMPT),
    "A1111 AVIF": (
        lambda folder: write_avif(folder / "image.avif", WEB_UI),
        "A1111",
        "exif:UserComment",
        PROMPT,
    ),
    "A1111 GIF": (
        lambda folder: write_gif(folder / "image.gif", WEB_UI),
        "A1111",
        "gif:comment",
        PROMPT,
    ),
    "A1111 stealth": (
        lambda folder: write_stealth(folder / "image.png", WEB_UI, "pngcomp"),
        "A1111",
        "stealth:alpha",
        PROMPT,
    ),
    "NovelAI stealth": (
        lambda folder: write_stealth(
            folder / "image.png", json.dumps({**NOVELAI, "Comment": NOVELAI_4}), "rgbcomp"
        ),
        "NovelAI",
        "stealth:rgb",
        PROMPT,
    ),
    "ComfyUI PNG": (
        png({"prompt": GRAPH, "workflow": '{"nodes": []}'}),
        "ComfyUI",
        "png:prompt",
        "a red wall",
    ),
    "ComfyUI animated WebP": (
        lambda folder: write_webp(
            folder / "i.webp", animated=True, Make="workflow:{}", Model=f"prompt:{GRAPH}"
        ),
        "ComfyUI",
        "exif:Model",
        "a red wall",
    ),
    "ComfyUI Save Image Extended": (
        lambda folder: write_jpeg_exif(
            folder / "i.jpg", ImageDescription="Workflow: {}", Make=f"Prompt: {GRAPH}"
        ),
        "ComfyUI",
        "exif:Make",
        "a red wall",
    ),
    "ComfyUI Save Image Plus": (
        jpeg(f'{{"prompt": {GRAPH}, "workflow": {{}}}}'),
        "ComfyUI",
        "exif:UserComment",
        "a red wall",
    ),
    "InvokeAI": (
        png({"invokeai_metadata": INVOKE, "invokeai_graph": "{}"}),
        "InvokeAI",
        "png:invokeai_metadata",
        PROMPT,
    ),
    "InvokeAI sd-metadata": (
        png(
            {
                "sd-metadata": json.dumps(
                    {"image": {"prompt": [{"prompt": "a wall, [ugly] red,", "weight": 1}]}}
                ),
                "Dream": '"a wall, [ugly] red," -s 50',
            }
        ),
        "InvokeAI",
        "png:sd-metadata",
        "a wall, red",
    ),
    "InvokeAI Dream": (
        png({"Dream": '"a "red" wall [ugly]" -s 50 -S 42 -W 512 -A k_lms'}),
        "InvokeAI",
        "png:Dream",
        'a "red" wall',
    ),
    "NovelAI 1": (
        png({**NOVELAI, "Description": PROMPT, "Comment": '{"steps": 50, "uc": "ugly"}'}),
        "NovelAI",
        "png:Description",
        PROMPT,
    ),
    "NovelAI 3": (png({**NOVELAI, "Comment": NOVELAI_3}), "NovelAI", "png:Comment", PROMPT),
    "NovelAI 4": (png({**NOVELAI, "Comment": NOVELAI_4}), "NovelAI", "png:Comment", PROMPT),
    "NovelAI WebP": (
        webp(json.dumps({**NOVELAI, "Comment": NOVELAI_4, "Description": "cafÃ©"})),
        "NovelAI",
        "exif:UserComment",
        PROMPT,
    ),
    "SwarmUI PNG": (
        png({"parameters": SWARM, "prompt": GRAPH}),
        "SwarmUI",
        "png:parameters",
        PROMPT,
    ),
    "SwarmUI JPEG": (jpeg(SWARM), "SwarmUI", "exif:UserComment", PROMPT),
    "Fooocus PNG": (
        png({"parameters": json.dumps(FOOOCUS), "fooocus_scheme": "fooocus"}),
        "Fooocus",
        "png:parameters",
        PROMPT,
    ),
    "Fooocus JPEG": (jpeg(json.dumps(FOOOCUS)), "Fooocus", "exif:UserComment", PROMPT),
    "RuinedFooocus": (
        png({"parameters": json.dumps(RUINED)}),
        "RuinedFooocus",
        "png:parameters",
        PROMPT,
    ),
    "Space": (
        png({"metadata": json.dumps(SPACE)}),
        "Hugging Face Space",
        "png:metadata",
        PROMPT,
    ),
    "Easy Diffusion": (
        png(
            {
                "prompt": PROMPT,
                "negative_prompt": NEGATIVE,
                "use_stable_diffusion_model": "m",
                "seed": "1",
            }
        ),
        "Easy Diffusion",
        "png:prompt",
        PROMPT,
    ),
    "TensorArt": (
        png({"generation_data": TENSOR, "prompt": GRAPH}),
        "TensorArt",
        "png:generation_data",
        PROMPT,
    ),
    "Stability Matrix": (
        lambda folder: write_png(
            folder / "image.png",
            {"parameters": WEB_UI, "parameters-json": MATRIX, "smproj": "{}", "prompt": GRAPH},
            kind="utf8-tEXt",
        ),
        "Stability Matrix",
        "png:parameters-json",
        PROMPT,
    ),
    "Civitai": (
        jpeg(json.dumps({**text_to_image(), "extraMetadata": '{"prompt": "x"}'})),
        "Civitai",
        "exif:UserComment",
        "a red wall",
    ),
    "Civitai PNG": (
        png({"extraMetadata": json.dumps({"prompt": PROMPT})}),
        "Civitai",
        "png:extraMetadata",
        PROMPT,
    ),
    "SwarmUI converted": (
        jpeg(json.dumps({"prompt": "another", "parameters": SWARM})),
        "SwarmUI",
        "exif:UserComment",
        PROMPT,
    ),
    "Fooocus with a scheme alone": (
        png({"fooocus_scheme": "fooocus", "parameters": json.dumps({"prompt": PROMPT})}),
        "Fooocus",
        "png:parameters",
        PROMPT,
    ),
    "SD.Next": (
        png({"parameters": f"{WEB_UI}, App: SD.Next, Version: 56a8aea"}),
        "SD.Next",
        "png:parameters",
        PROMPT,
    ),
    "Forge Neo AVIF": (
        lambda folder: write_avif(folder / "image.avif", f"{WEB_UI}, Version: neo"),
        "Forge Neo",
        "exif:UserComment",
        PROMPT,
    ),
    "Draw Things PNG": (png({"XML:com.adobe.xmp": DRAW_THINGS}), "Draw Things", "xmp", PROMPT),
    "Draw Things WebP": (
        lambda folder: write_webp(folder / "image.webp", xmp=DRAW_THINGS),
        "Draw Things",
        "xmp",
        PROMPT,
    ),
}


@pytest.mark.parametrize(("write", "generator", "field", "prompt"), FILES.values(), ids=FILES)
def test_the_prompt_of_a_file(
    tmp_path: Path, write: Writer, generator: str, field: str, prompt: str
) -> None:
    result = read_prompt(read_texts(write(tmp_path)))
    assert isinstance(result, ReadPrompt), result
    assert (result.generator, result.field) == (generator, field)
    assert result.prompt == prompt
    assert PROMPT not in result.negative


def test_characters_are_kept_apart() -> None:
    result = read_prompt(texts_of({"png:Software": "NovelAI", "png:Comment": NOVELAI_4}))
    assert isinstance(result, ReadPrompt)
    assert (result.negative, result.characters) == (NEGATIVE, ("girl, red hair",))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"png:invokeai_metadata": '{"positive_prompt": " "}'}, "prompt is empty"),
        ({"png:invokeai_metadata": '{"positive_prompt": ["a"]}'}, "not a text"),
        ({"png:invokeai_metadata": "{}"}, "not a text"),
        ({"png:parameters": '{"sui_image_params": []}'}, "not a text"),
        ({"png:parameters": '{"sui_image_params": {"prompt": null}}'}, "not a text"),
        ({"png:Dream": '"a" -x "b" -s 5'}, "not clear"),
        ({"png:Dream": "a wall -s 5"}, "no quoted prompt"),
        ({"png:generation_data": "[1]"}, "no JSON object"),
        ({"png:Software": "NovelAI", "png:Comment": "{"}, "damaged JSON"),
        ({"png:Software": "NovelAI", "png:Comment": '{"a": 1, "a": 2}'}, "occurs twice"),
        ({"png:prompt": '{"1": {"class_type": "KSampler"'}, "damaged JSON"),
    ],
)
def test_a_generators_text_without_a_prompt_says_why(fields: dict[str, str], reason: str) -> None:
    assert reason in reason_of(read_prompt(texts_of(fields)))


def test_texts_of_other_programs_say_nothing() -> None:
    fields = {
        "exif:Software": "GIMP 3.0.6",
        "exif:ImageDescription": "My holidays: day 1, place: sea, with: friends",
        "exif:Make": "Nikon",
        "exif:Model": "D750",
        "jpeg:comment": "Optimized by JPEGmini 3.9",
        "png:Comment": "Created with GIMP",
        "png:Title": "a cat",
        "png:Description": "a cat on a mat",
        "xmp": "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    }
    assert read_prompt(texts_of(fields)) is None


def test_letters_that_are_no_text_are_replaced() -> None:
    broken = '{"positive_prompt": "a \\ud83d\\u0000\\u001b[31m wall\\r\\n\\ud83d\\udc08"}'
    assert prompt_of(read_prompt(texts_of({"png:invokeai_metadata": broken}))) == (
        "a \ufffd[31m wall\n🐈"
    )


def test_an_empty_prompt_of_novelai_is_not_read_as_another_programs() -> None:
    caption = {"caption": {"base_caption": "", "char_captions": [{"char_caption": "a girl"}]}}
    comment = json.dumps(json.loads(NOVELAI_3) | {"v4_prompt": caption})
    assert "empty" in reason_of(
        read_prompt(texts_of({"png:Software": "NovelAI", "png:Comment": comment}))
    )
