"""A tokenizer learned from the prompts, for the text side of a small tower."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt.errors import ConfigError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

PAD, START, END = "<pad>", "<start>", "<end>"


def make_tokenizer(
    prompts: Sequence[str], vocabulary: int, context: int
) -> PreTrainedTokenizerBase:
    """A byte-level BPE learned from the prompts; any text can be written in it.

    The end token has the highest id, because open_clip's ``argmax`` pooling finds the end of a
    text by it.

    Args:
        prompts: What to learn from.
        vocabulary: Most tokens it may have.
        context: Most tokens of a text.
    """
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    tokenizer = _learn(prompts, vocabulary - 1, [PAD])
    tokenizer.add_special_tokens([END])
    end = tokenizer.token_to_id(END)
    tokenizer.post_processor = TemplateProcessing(single=f"$A {END}", special_tokens=[(END, end)])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # untyped in transformers
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, model_max_length=context
    )


def make_writing_tokenizer(
    prompts: Sequence[str], vocabulary: int, context: int
) -> PreTrainedTokenizerBase:
    """The same for a decoder that writes text: padding, start and end are the ids 0, 1 and 2.

    Args:
        prompts: What to learn from.
        vocabulary: Most tokens it may have.
        context: Most tokens of a text, start and end included.
    """
    from tokenizers import decoders
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    tokenizer = _learn(prompts, vocabulary, [PAD, START, END])
    # What was read with a leading space is written without it.
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = TemplateProcessing(
        single=f"{START} $A {END}",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in (START, END)],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # untyped in transformers
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        sep_token=END,
        model_max_length=context,
    )


def fitting_tokenizer(
    make: Callable[[], PreTrainedTokenizerBase], start: Path | None, room: int, path: Path
) -> PreTrainedTokenizerBase:
    """The tokenizer of a training, with no more tokens than its tower has room for.

    Args:
        make: Learns one from the prompts.
        start: A folder that an earlier training wrote: its weights know no other tokenizer.
        room: The tower's ``vocab_size``.
        path: The configuration that says so, for the error line.

    Raises:
        ConfigError: It has more tokens.
    """
    from transformers import PreTrainedTokenizerFast

    found: PreTrainedTokenizerBase = (
        PreTrainedTokenizerFast.from_pretrained(str(start)) if start else make()
    )
    if len(found) > room:
        raise ConfigError(f"tower: {path}: {len(found)} tokens, vocab_size {room}")
    return found


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
