"""Towers of a few thousand random parameters, saved as open_clip and transformers keep them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.tables import read_tables

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


def save_tokenizer(folder: Path, *, seamless: bool) -> int:
    """A byte-level BPE as open_clip reads it; `seamless`: its tokens may run across spaces."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from tokenizers.trainers import BpeTrainer

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=not seamless, use_regex=not seamless
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=700,
        special_tokens=["<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [text for table in read_tables(InterrogatorOptions()).values() for text in table]
    tokenizer.train_from_iterator([f"{a}, {b}" for a, b in pairwise(texts)], trainer)
    tokenizer.add_special_tokens(["<end>"])
    end = tokenizer.get_vocab()["<end>"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <end>", special_tokens=[("<end>", end)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<pad>",
        "eos_token": "<end>",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return end + 1


def save_clip(folder: Path, tokenizer: str = "simple", *, seed: int = 0, context: int = 77) -> Path:
    """A random CLIP as an open_clip folder; its tokenizer: simple, words, seamless."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    text: dict[str, Any] = {"width": 32, "heads": 2, "layers": 1, "context_length": context}
    if tokenizer == "simple":
        text["vocab_size"] = 49408
    else:
        text["vocab_size"] = save_tokenizer(folder, seamless=tokenizer == "seamless")
        text["hf_tokenizer_name"] = "small"
    vision = {"image_size": 32, "patch_size": 16, "width": 32, "head_width": 16, "layers": 1}
    config = {
        "model_cfg": {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": {"size": 32, "interpolation": "bicubic", "resize_mode": "shortest"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(seed)
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
    fast: Any = PreTrainedTokenizerFast
    tokens = {f"{key}_token": word for key, word in named.items()}
    fast(tokenizer_object=tokenizer, **tokens).save_pretrained(folder)
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
    fast: Any = PreTrainedTokenizerFast
    wrapped = fast(
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
    processor: Any = LlavaProcessor
    processor(
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
