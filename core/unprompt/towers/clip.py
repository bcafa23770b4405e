"""open_clip's image and text towers as unit rows of one CLIP's dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from unprompt._compute.workers import shared_out, side_by_side
from unprompt.contracts import Need, Runtime
from unprompt.embeddings import unit
from unprompt.errors import DataError
from unprompt.towers.branches import chunks, encode_branches, split_group
from unprompt.towers.cut_texts import can_cut, encode_cut, ends
from unprompt.towers.files import origin_needs
from unprompt.towers.messages import check_size, loading, silent
from unprompt.towers.open_clip_files import (
    CHECKPOINT,
    CONFIG,
    OpenClipModel,
    check_checkpoint,
    checkpoint_need,
    resolve,
)
from unprompt.towers.sources import NamedSource, OpenClipCheckpoint, OpenClipSource
from unprompt.towers.state import PREFIXES, bare
from unprompt.towers.tower import Tower, check_keys
from unprompt.towers.views import IDENTITY, View, averaged
from unprompt.types import FloatArray, PlainData

if TYPE_CHECKING:
    import torch


class ClipTowers(Tower[OpenClipSource]):
    """An open_clip model.

    Attributes:
        dim: C, the width that images and texts share.
        context: Tokens that a text may have, start and end included; the rest is cut.
    """

    dim: int
    context: int
    _tokenizer: Any

    @classmethod
    def needs(cls, source: OpenClipSource) -> list[Need]:
        """Configuration and checkpoint."""
        if isinstance(source, NamedSource | OpenClipCheckpoint):
            return [checkpoint_need(source)]
        return origin_needs(source.origin, (CONFIG, CHECKPOINT))

    @classmethod
    def identity(cls, source: OpenClipSource, runtime: Runtime, owner: str) -> dict[str, PlainData]:
        """Files, preprocess and architecture, its activation included."""
        return resolve(source, runtime, owner).identity(source)

    def images(self, pixels: torch.Tensor, views: tuple[View, ...] = IDENTITY) -> FloatArray:
        """Pixels (n, 3, H, W) -> unit rows (n, C), averaged over ``views``."""
        return averaged(
            lambda seen: unit(self._rows(self._model.encode_image, seen)), pixels, views
        )

    def texts(self, texts: Sequence[str], *, what: str = "encode the bank") -> FloatArray:
        """Texts -> unit rows (len(texts), C), in batches; text is cut at `context` tokens."""
        if not texts:
            return np.empty((0, self.dim), np.float32)
        size = self._runtime.batch_size
        tokens = self.tokens(texts)
        # Short texts first where a batch is as long as its longest text.
        order = ends(tokens).argsort(stable=True).numpy() if self._cuts else np.arange(len(texts))
        parts = [order[start : start + size] for start in range(0, len(texts), size)]
        rows = np.empty((len(texts), self.dim), np.float32)

        def encoded(part: npt.NDArray[np.int64]) -> FloatArray:
            return self.encode_tokens(tokens[part])

        with closing(side_by_side(encoded, parts, self._runtime.device)) as made:
            both = zip(parts, made, strict=True)
            for part, own in self._runtime.progress(both, what=what, total=len(parts)):
                rows[part] = own
        return rows

    def tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """Token ids, int64 of shape (len(texts), context), cut and padded."""
        tokens: torch.Tensor = self._tokenizer(list(texts))
        return tokens

    def encode_tokens(self, tokens: torch.Tensor) -> FloatArray:
        """Token ids (n, context) -> unit rows (n, C), in one forward pass."""
        if self._cuts:
            return unit(self._rows(lambda seen: encode_cut(self._model, seen), tokens))
        return unit(self._rows(self._model.encode_text, tokens))

    def encode_groups(self, groups: Sequence[torch.Tensor], most: int) -> list[FloatArray]:
        """Groups of texts that begin alike -> unit rows (n, C) of each group.

        Args:
            groups: Token ids (n, context) of each group.
            most: Texts in a forward pass.
        """
        pieces = [(i, rows) for i, group in enumerate(groups) for rows in split_group(group)]
        device, total = self._runtime.device, sum(len(rows) for _, rows in pieces)
        parts = [*chunks([rows for _, rows in pieces], shared_out(total, most, device))]

        def encoded(part: Sequence[int]) -> FloatArray:
            return self._begun_alike([pieces[number][1] for number in part])

        found: dict[int, FloatArray] = {}
        with closing(side_by_side(encoded, parts, device)) as made:
            for part, rows in zip(parts, made, strict=True):
                ends = np.cumsum([len(pieces[number][1]) for number in part])
                found |= zip(part, np.split(rows, ends[:-1]), strict=True)
        own: list[list[FloatArray]] = [[] for _ in groups]
        for number, (i, _) in enumerate(pieces):
            own[i].append(found[number])
        return [np.concatenate([np.empty((0, self.dim), np.float32), *rows]) for rows in own]

    def _begun_alike(self, groups: Sequence[torch.Tensor]) -> FloatArray:
        """Unit rows (N, C) of all texts, in one forward pass."""
        import torch

        tokens = torch.cat([*groups])
        if not self._cuts:
            return self.encode_tokens(tokens)
        sizes = torch.tensor([len(rows) for rows in groups])
        group = torch.arange(len(sizes)).repeat_interleave(sizes).to(self._runtime.device)
        return unit(self._rows(lambda seen: encode_branches(self._model, seen, group), tokens))

    @cached_property
    def _cuts(self) -> bool:
        return can_cut(self._model)

    def fits(self, text: str) -> bool:
        """Whether nothing of the text is cut."""
        inner = getattr(self._tokenizer, "tokenizer", None)  # a transformers tokenizer, wrapped
        if inner is not None:
            return len(inner(text, truncation=False).input_ids) <= self.context
        start_and_end = 2
        return len(self._tokenizer.encode(text)) + start_and_end <= self.context

    @classmethod
    def _random(cls, source: OpenClipSource, runtime: Runtime, owner: str) -> Any:
        resolved = resolve(source, runtime, owner)
        with loading(source.describe(), owner):
            return _build(resolved, runtime)

    def _load(self, source: OpenClipSource, runtime: Runtime, owner: str) -> tuple[Any, Any]:
        import open_clip
        from open_clip.transform import PreprocessCfg, image_transform_v2

        resolved = resolve(source, runtime, owner)
        with loading(source.describe(), owner):
            try:
                if resolved.folder is not None and resolved.checkpoint is not None:
                    check_size(_sketch(resolved), [resolved.checkpoint])
                model = _build(resolved, runtime)
                _fill(model, resolved, source, owner)
                self._tokenizer = open_clip.get_tokenizer(resolved.name)
                _check_tokenizer(model, self._tokenizer, resolved)
            except Exception:
                if not runtime.dry_run:
                    check_checkpoint(resolved, owner)  # a damaged file can end in any error
                raise
            self.dim = int(resolved.architecture["embed_dim"])
            self.context = int(getattr(self._tokenizer, "context_length", None) or 77)
            configuration = PreprocessCfg(**model.visual.preprocess_cfg)
            return model, image_transform_v2(configuration, is_train=False)


def _check_tokenizer(model: Any, tokenizer: Any, resolved: OpenClipModel) -> None:
    """Refuse a tokenizer whose tokens the text tower does not all have.

    Raises:
        DataError: The two are not of one model.
    """
    text = getattr(model, "text", model)  # a text tower of its own, or a CLIP's
    known = getattr(text, "token_embedding", None)
    if known is None and hasattr(text, "transformer"):
        known = text.transformer.get_input_embeddings()
    inner = getattr(tokenizer, "tokenizer", None)
    count = tokenizer.vocab_size if inner is None else len(inner)
    if known is not None and count > known.num_embeddings:
        where = resolved.folder / CONFIG[0] if resolved.folder else resolved.name
        raise DataError(
            f"{where}: its tokenizer has {count:,} tokens, and its text tower only "
            f"{known.num_embeddings:,} (`vocab_size`, `hf_tokenizer_name`)"
        )


def _build(resolved: OpenClipModel, runtime: Runtime) -> Any:
    """The model in evaluation mode, with random parameters."""
    import open_clip

    with silent():  # open_clip warns of random parameters, which are filled next
        return open_clip.create_model(
            resolved.name,
            load_weights=False,
            device=runtime.device,
            force_preprocess_cfg=resolved.preprocess,
        ).eval()


def _sketch(resolved: OpenClipModel) -> Any:
    """The model on the device ``meta``, where numbers take no memory."""
    import torch

    with torch.device("meta"):
        return _build(resolved, Runtime(device="meta"))


def _fill(model: Any, resolved: OpenClipModel, source: OpenClipSource, owner: str) -> None:
    """Fill the model with its checkpoint; nothing in a dry run.

    Raises:
        ConfigError: The checkpoint is of another model.
    """
    import open_clip

    if resolved.checkpoint is None:
        return

    def check(module: Any, state: dict[str, torch.Tensor], *_rest: Any) -> None:
        # open_clip has converted what others wrote, and loads what this leaves in `state`.
        for name in [name for name in state if name.startswith(PREFIXES)]:
            state[bare(name)] = state.pop(name)
        check_keys(module.state_dict(), state, source, f"{owner}: {resolved.checkpoint}")

    hook = model.register_load_state_dict_pre_hook(check)
    try:
        open_clip.load_checkpoint(model, str(resolved.checkpoint), weights_only=True)
    finally:
        hook.remove()
