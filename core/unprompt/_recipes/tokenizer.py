"""A tokenizer learned from the prompts, for the text side of a small tower."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt._recipes.models import building, read_json
from unprompt._recipes.recipe import TokenizerConfig
from unprompt.errors import ConfigError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

PAD, START, END = "<pad>", "<start>", "<end>"
VOCABULARY = 2048
"""Tokens where a recipe says nothing."""


def make_tokenizer(
    prompts: Sequence[str], vocabulary: int, context: int
) -> PreTrainedTokenizerBase:
    """A byte-level BPE learned from the prompts; any text can be written in it.

    The end token has the highest id, because open_clip's ``argmax`` pooling finds the end of a
    text by it.

    Args:
        prompts: What to learn from.
        vocabulary: Most tokens it may have.
        context: Most tokens of a text, start and end included.
    """
    tokenizer = _learn(prompts, vocabulary - 1, [PAD])
    tokenizer.add_special_tokens([END])
    return _framed(tokenizer, f"$A {END}", context)


def make_writing_tokenizer(
    prompts: Sequence[str], vocabulary: int, context: int
) -> PreTrainedTokenizerBase:
    """The same for a decoder that writes text: padding, start and end are the ids 0, 1 and 2."""
    from tokenizers import decoders

    tokenizer = _learn(prompts, vocabulary, [PAD, START, END])
    # What was read with a leading space is written without it.
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    return _framed(tokenizer, f"{START} $A {END}", context, bos_token=START, sep_token=END)


def tokenizer_of(
    config: TokenizerConfig,
    make: Callable[[Sequence[str], int, int], PreTrainedTokenizerBase],
    prompts: Sequence[str],
    context: int,
    vocab_size: int,
    path: Path,
) -> PreTrainedTokenizerBase:
    """The tokenizer of a training: that of the checkpoint it starts from, or a new one.

    Args:
        config: Says how many tokens to learn, or which checkpoint to start from: they fit no other
            tokenizer.
        make: Learns one: `make_tokenizer` or `make_writing_tokenizer`.
        prompts: What to learn from.
        context: Most tokens of a text; the tokenizer's `model_max_length`.
        vocab_size: Most tokens that the tower takes.
        path: The configuration that says so, for the error line.

    Raises:
        ConfigError: It has more tokens, or there is none beside the checkpoint.
    """
    from transformers import PreTrainedTokenizerFast

    if config.start is None:
        tokenizer = make(prompts, config.vocabulary or VOCABULARY, context)
    else:
        folder = config.start.path
        if not (folder / "tokenizer.json").is_file():
            raise ConfigError(f"start: no tokenizer.json in {folder}")
        read_json(folder / "tokenizer.json")
        with building(folder / "tokenizer.json"):
            tokenizer = PreTrainedTokenizerFast.from_pretrained(
                str(folder), model_max_length=context
            )
    if len(tokenizer) > vocab_size:
        raise ConfigError(f"tower: {path}: {len(tokenizer)} tokens, vocab_size {vocab_size}")
    return tokenizer


def _learn(prompts: Sequence[str], vocabulary: int, special: list[str]) -> Tokenizer:
    """Merges of bytes; ``special`` get the first ids."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
    from tokenizers.trainers import BpeTrainer

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(prompts, trainer)
    return tokenizer


def _framed(
    tokenizer: Tokenizer, template: str, context: int, **names: str
) -> PreTrainedTokenizerBase:
    """With the special tokens of a template (START, END) around every text."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    special = [(name, tokenizer.token_to_id(name)) for name in (START, END) if name in template]
    tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=special)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # untyped in transformers
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        model_max_length=context,
        **names,
    )
