"""The interrogator end to end, with a small BLIP and a small CLIP of random parameters."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt.contracts import Batch, Images, Runtime
from unprompt.errors import DataError, MissingFileError
from unprompt.testing import (
    HashedWords,
    PredictorContract,
    Prepared,
    example_images,
    make_prepared,
)
from unprompt.towers import ClipTowers
from unprompt_blip.captioner import Captioner, tidy
from unprompt_blip.interrogator import Interrogator
from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.sources import FolderCaptioner

WORDS = [
    "a",
    "the",
    "cat",
    "dog",
    "red",
    "blue",
    "house",
    "tree",
    "sky",
    "on",
    "of",
    "image",
    "photo",
    "with",
    "big",
    "small",
    "by",
    "night",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[DEC]"]


def save_clip(folder: Path) -> Path:
    """A CLIP of a few thousand random parameters, as an open_clip folder."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    text = {"width": 32, "heads": 2, "layers": 1, "context_length": 77, "vocab_size": 49408}
    vision = {"image_size": 32, "patch_size": 16, "width": 32, "head_width": 16, "layers": 1}
    config = {
        "model_cfg": {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": {"size": 32, "interpolation": "bicubic", "resize_mode": "shortest"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    # Random towers say nearly the same of everything; larger embeddings tell things apart.
    model.token_embedding.weight.data.normal_(std=1.0)
    model.visual.conv1.weight.data.normal_(std=1.0)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def save_blip(folder: Path) -> Path:
    """A BLIP that writes a few words, chosen by random parameters, as transformers keeps it."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import (
        BlipConfig,
        BlipForConditionalGeneration,
        BlipImageProcessor,
        PreTrainedTokenizerFast,
    )

    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    named = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "bos": "[DEC]"}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{f"{key}_token": word for key, word in named.items()}
    ).save_pretrained(folder)
    BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    small = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    numbers = {"bos_token_id": 4, "sep_token_id": 3, "eos_token_id": 3, "pad_token_id": 0}
    torch.manual_seed(3)
    config = BlipConfig(
        text_config={**small, **numbers, "vocab_size": len(vocabulary)},
        vision_config={**small, "image_size": 32, "patch_size": 16},
    )
    model = BlipForConditionalGeneration(config)
    for name, parameter in model.named_parameters():
        if "norm" not in name.lower() and parameter.ndim > 1:
            parameter.data.normal_(std=0.5)  # smaller weights do not see the image
    model.text_decoder.cls.predictions.bias.data[: len(SPECIAL)] = -100  # words only
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("towers") / "clip")


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_blip(tmp_path_factory.mktemp("towers") / "blip")


def options(clip: Path, **said: Any) -> InterrogatorOptions:
    return InterrogatorOptions.model_validate({"backbone": {"folder": str(clip)}, **said})


def captioner(blip: Path, **said: Any) -> Captioner:
    config = FolderCaptioner.model_validate({"folder": str(blip), "max_tokens": 6, **said})
    return Captioner(config, Runtime(batch_size=3))


def predicted(prepared: Prepared, images: Images) -> list[Batch]:
    predictor = prepared.load(Runtime())
    try:
        return list(predictor.predict(images))
    finally:
        predictor.close()


# The contract


class TestCaptionAndTemplate(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, clip: Path, blip: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
        said = options(clip, captioner={"folder": str(blip), "max_tokens": 6})
        return make_prepared(Interrogator, said, tmp_path_factory.mktemp("template"))

    def test_the_embedding_is_the_texts(self, prepared: Prepared) -> None:
        (batch,) = predicted(prepared, example_images())
        texts = [text or "" for text in batch.prompts]
        np.testing.assert_allclose(batch.embeddings.rows, HashedWords().encode(texts), atol=1e-6)
        assert len(set(texts)) > 1

    def test_the_text_starts_with_the_caption(self, prepared: Prepared, blip: Path) -> None:
        (batch,) = predicted(prepared, example_images())
        captions = captioner(blip).captions(example_images())
        assert any(captions.values())
        for name, text, pieces in zip(
            batch.embeddings.ids, batch.prompts, batch.evidence, strict=True
        ):
            assert text is not None and text.startswith(captions[name])
            if captions[name]:
                assert captions[name] in {piece.text for piece in pieces}


class TestPhrasesAlone(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
        said = options(
            clip, captioner="none", mode="fast", max_phrases=4, views=["identity", "hflip"]
        )
        return make_prepared(Interrogator, said, tmp_path_factory.mktemp("fast"))

    def test_the_evidence_is_the_text(self, prepared: Prepared) -> None:
        (batch,) = predicted(prepared, example_images())
        for text, pieces in zip(batch.prompts, batch.evidence, strict=True):
            assert text == ", ".join(piece.text for piece in pieces[:4])


@pytest.mark.parametrize(
    ("mode", "own"),
    [
        ("caption", {}),
        ("classic", {}),
        ("best", {"max_phrases": 3, "candidates": 24}),
        ("negative", {"max_phrases": 3, "captioner": "none"}),
    ],
)
def test_the_other_modes(
    clip: Path, blip: Path, mode: str, own: dict[str, Any], tmp_path: Path
) -> None:
    captioner = {"folder": str(blip), "max_tokens": 6}
    said = options(clip, **{"captioner": captioner, "mode": mode, **own})
    prepared = make_prepared(Interrogator, said, tmp_path)
    images = example_images().select(("large", "grey", "black"))
    (batch,) = predicted(prepared, images)
    (alone,) = predicted(prepared, images.select(("grey",)))
    assert all(batch.prompts)
    assert alone.prompts[0] == batch.prompts[1]


# Captions


def test_captions_do_not_depend_on_batch_or_order(blip: Path) -> None:
    images = example_images()
    config = FolderCaptioner.model_validate({"folder": str(blip), "max_tokens": 8})
    found = [
        Captioner(config, Runtime(batch_size=size)).captions(some)
        for size, some in ((1, images), (3, images.select(images.ids[::-1])), (64, images))
    ]
    assert found[0] == found[1] == found[2]
    assert len(set(found[0].values())) > 1
    assert set(" ".join(found[0].values()).split()) <= {*WORDS, *SPECIAL}


def test_lengths_and_beams(blip: Path) -> None:
    images = example_images()
    short = captioner(blip, max_tokens=2).captions(images)
    assert {len(text.split()) for text in short.values()} == {2}
    beamed = captioner(blip, beams=3).captions(images)
    assert beamed == captioner(blip, beams=3).captions(images)
    assert beamed != captioner(blip).captions(images)


@pytest.mark.parametrize("least", [0, 3])
def test_a_caption_that_wants_to_end_at_once(blip: Path, least: int) -> None:
    speechless = captioner(blip, min_tokens=least)
    speechless._model.text_decoder.cls.predictions.bias.data[SPECIAL.index("[SEP]")] = 100
    for text in speechless.captions(example_images()).values():
        assert bool(text) == bool(least)
        assert len(text.split()) <= least


def test_a_prompt_leads_the_caption_and_is_no_part_of_it(blip: Path) -> None:
    images = example_images()
    led = captioner(blip, prompt="An image of").captions(images)
    assert not any(text.startswith("an image of") for text in led.values())
    assert led != captioner(blip).captions(images)


def test_a_chat_model_captions_too(tmp_path: Path) -> None:
    save_chat(tmp_path / "chat")
    images = example_images().select(("large", "grey"))
    found = captioner(tmp_path / "chat", min_tokens=3).captions(images)
    assert set(found) == {"large", "grey"}
    assert not any("image" in text and "assistant" in text for text in found.values())


def save_chat(folder: Path) -> None:
    """A LLaVA of random parameters."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPImageProcessor,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    words = [*SPECIAL, *WORDS, "user", "assistant", ":", "<image>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        eos_token="[SEP]",
        extra_special_tokens=["<image>"],
    )
    template = (
        "{% for m in messages %}user : {% for c in m['content'] %}"
        "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %} "
        "{% endfor %}{% if add_generation_prompt %}assistant :{% endif %}"
    )
    side = {"height": 32, "width": 32}
    LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=side),
        wrapped,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
    ).save_pretrained(folder)
    small = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2}
    vision = {**small, "num_hidden_layers": 2, "image_size": 32, "patch_size": 16}
    text = {**small, "num_hidden_layers": 1, "num_key_value_heads": 2, "vocab_size": len(words)}
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config={"model_type": "clip_vision_model", **vision},
        text_config={"model_type": "llama", **text, "eos_token_id": 3, "pad_token_id": 0},
        image_token_index=vocabulary["<image>"],
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("a dog  in the\n snow. ", "a dog in the snow"),
        ("a jungle jungle jungle jungle tree", "a jungle tree"),
        ("a very very big cat", "a very very big cat"),
        (" ", ""),
    ],
)
def test_captions_are_tidy(raw: str, said: str) -> None:
    assert tidy(raw) == said


# What is missing or broken


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("config.json", "config.json"),
        ("model.safetensors", "model.safetensors"),
        ("tokenizer.json", "tokenizer.json"),
        ("preprocessor_config.json", "preprocessor_config.json"),
    ],
)
def test_a_captioner_that_lacks_a_file(blip: Path, tmp_path: Path, file: str, named: str) -> None:
    folder = tmp_path / "blip"
    shutil.copytree(blip, folder)
    (folder / file).unlink()
    with pytest.raises(MissingFileError, match=rf"^captioner: no {named}.* in .*/blip$"):
        captioner(folder)


def test_a_captioner_that_lacks_parameters_is_not_filled_with_random_ones(
    blip: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "blip"
    shutil.copytree(blip, folder)
    state = load_file(folder / "model.safetensors")
    name = next(key for key in state if key.endswith("query.weight"))
    del state[name]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"^captioner: .*/blip lacks .*query\.weight"):
        captioner(folder)


def test_another_architecture_is_one_line(blip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "blip"
    shutil.copytree(blip, folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(DataError, match=r"^captioner: cannot load .*/blip: ") as caught:
        captioner(folder)
    assert len(caught.value.problems) == 1


def test_offline_the_file_to_fetch_is_named(tmp_path: Path, clip: Path) -> None:
    said = options(clip, captioner="nobody/no-such-captioner")
    predictor = Interrogator(said, Runtime(offline=True))
    with pytest.raises(
        MissingFileError, match=r"hf download nobody/no-such-captioner config\.json"
    ):
        predictor.identity()
    lacking = [need.what for need in predictor.needs() if not need.here]
    assert "model.safetensors of nobody/no-such-captioner" in lacking


def test_without_a_text_encoder_there_is_no_prediction(clip: Path, tmp_path: Path) -> None:
    made = make_prepared(Interrogator, options(clip, captioner="none"), tmp_path)
    predictor = made.load(Runtime())
    predictor.runtime = Runtime()
    with pytest.raises(DataError, match="needs a text encoder"):
        list(predictor.predict(example_images()))


# Identity, needs and dry runs


def test_identity_is_the_content(clip: Path, blip: Path, tmp_path: Path) -> None:
    def identity(**said: Any) -> Any:
        return Interrogator(options(clip, **said), Runtime()).identity()

    table = tmp_path / "flavors.txt"
    table.write_text("misty\n")
    said: dict[str, Any] = {"captioner": {"folder": str(blip)}, "tables": {"flavors": str(table)}}
    before = identity(**said)
    assert before == identity(**said)
    table.write_text("foggy\n")
    assert identity(**said) != before
    copied = tmp_path / "blip"
    shutil.copytree(blip, copied)
    table.write_text("misty\n")
    assert identity(**{**said, "captioner": {"folder": str(copied)}}) == before
    (copied / "config.json").write_text((blip / "config.json").read_text() + "\n")
    assert identity(**{**said, "captioner": {"folder": str(copied)}}) != before
    assert identity(captioner="none")["captioner"] is None


def test_needs_and_towers(clip: Path, blip: Path) -> None:
    predictor = Interrogator(options(clip, captioner={"folder": str(blip)}), Runtime())
    assert all(need.here for need in predictor.needs())
    assert len(predictor.needs()) == 6
    towers = predictor.towers()
    loaded = Captioner(FolderCaptioner.model_validate({"folder": str(blip)}), Runtime())
    assert set(towers) == {"CLIP", "captioner"}
    assert towers["captioner"] == sum(p.numel() for p in loaded._model.parameters())
    assert towers["CLIP"] == ClipTowers.parameters(options(clip).backbone, "test")
    assert set(Interrogator(options(clip, mode="negative"), Runtime()).towers()) == {"CLIP"}


def test_a_dry_run_needs_no_checkpoint(clip: Path, blip: Path, tmp_path: Path) -> None:
    for original in (clip, blip):
        shutil.copytree(original, tmp_path / original.name)
    (tmp_path / "clip" / "open_clip_model.safetensors").unlink()
    (tmp_path / "blip" / "model.safetensors").unlink()
    said = options(tmp_path / "clip", captioner={"folder": str(tmp_path / "blip")})
    runtime = Runtime(offline=True, dry_run=True, text_encoder=HashedWords())
    assert texts_of_dry_run(said, runtime, tmp_path / "artifact", ("large", "grey")) == 2


def texts_of_dry_run(
    said: InterrogatorOptions, runtime: Runtime, artifact: Path, ids: Sequence[str]
) -> int:
    """How many images a dry run gives texts for."""
    from unprompt.testing import example_train_set

    artifact.mkdir()
    predictor = Interrogator(said, runtime)
    assert predictor.identity()
    predictor.prepare(example_train_set(), artifact)
    predictor.load(artifact)
    batches = list(predictor.predict(example_images().select(tuple(ids))))
    predictor.close()
    return sum(bool(text) for batch in batches for text in batch.prompts)
