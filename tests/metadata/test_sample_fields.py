"""Real files of public projects: what is in them is found, where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from unprompt_metadata.files import read_texts

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "metadata-samples"

WHERE = {
    "automatic1111_cropped.jpg": "exif:UserComment",
    "automatic1111_cropped.png": "png:parameters",
    "automatic1111_stealth.png": "stealth:alpha",
    "civitai-hires.jpg": "exif:UserComment",
    "civitai.jpeg": "exif:UserComment",
    "comfyui-save-image-extended.jpeg": "exif:Make",
    "comfyui-save-image-extended.webp": "exif:Make",
    "comfyui-saveimage-plus.jpg": "exif:UserComment",
    "comfyui-saveimagewithmetadata.jpeg": "exif:UserComment",
    "comfyui_img2img_cropped.png": "png:prompt",
    "comfyui_night_evening_day_morning_cropped.png": "png:prompt",
    "comfyui_unclip_2pass_cropped.png": "png:prompt",
    "fooocus1_cropped.png": "png:fooocus_scheme",
    "forge-classic.jpeg": "exif:UserComment",
    "forge-neo.webp": "exif:UserComment",
    "gimp.jpg": "jpeg:comment",
    "gimp.webp": "exif:ImageDescription",
    "invokeai_imeta1.png": "png:invokeai_metadata",
    "novelai1_cropped.png": "png:Comment",
    "reforge-hires.webp": "exif:UserComment",
    "sd-next.jpg": "exif:UserComment",
    "sd-webui.webp": "exif:UserComment",
    "swarmui.jpg": "exif:UserComment",
    "text_after_idat.png": "png:parameters",
}

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="samples of public projects are not beside the repository"
)


@pytest.mark.parametrize("name", sorted(WHERE))
def test_the_text_is_where_the_generator_left_it(name: str) -> None:
    texts = read_texts(SAMPLES / name)
    assert WHERE[name] in [field.name for field in texts.fields]
    assert texts.problems == ()


def test_an_image_without_texts_has_none() -> None:
    texts = read_texts(SAMPLES / "empty.jpg")
    assert (texts.size, texts.fields, texts.problems) == ((832, 1216), (), ())
