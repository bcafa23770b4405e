"""BERT's forward pass over packed tokens: no padding, no mask, one product per layer and matrix.

All tokens of a batch are rows of one array. Linear layers and norms work on tokens, so that they
do not care which text a token is of; attention runs over each group of texts of one length.
Products are in the encoder's precision; norms, the residual stream, softmax and the mean over
tokens are in float32.

Source: packing without padding: Portes et al., MosaicBERT, arXiv 2312.17482, and Zeng et al.,
arXiv 2208.08124. The model: Devlin et al., arXiv 1810.04805; its mean over tokens: Reimers and
Gurevych, arXiv 1908.10084.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unprompt._compute.linear import linear
from unprompt._encoding.batches import Group
from unprompt.embeddings import unit
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import torch

    Affine = tuple[torch.Tensor, torch.Tensor]
    """The weight and the bias of a linear layer or a norm."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer's parameters: linear ones in the encoder's precision, norms in float32."""

    qkv: Affine
    mixed: Affine
    mixed_norm: Affine
    wide: Affine
    narrow: Affine
    narrow_norm: Affine


@dataclass(frozen=True, slots=True)
class PackedBert:
    """A BERT sentence encoder: the mean of the last layer's tokens, as a unit row.

    Attributes:
        words: The embedding of each token, float32 of shape (vocabulary, H).
        positions: That of each position and of the only token type, float32 of shape (P, H).
        norm: Of the sum of both.
        layers: The layers, the first one first.
        heads: Attention heads.
        epsilon: Of the norms.
        precision: Of the products.
    """

    words: torch.Tensor
    positions: torch.Tensor
    norm: Affine
    layers: tuple[_Layer, ...]
    heads: int
    epsilon: float
    precision: torch.dtype

    @classmethod
    def of(cls, model: Any, precision: torch.dtype) -> PackedBert:
        """The same encoder as a transformers ``BertModel`` in evaluation mode; see `fits`."""
        embeddings = model.embeddings
        token_type = embeddings.token_type_embeddings.weight[0]
        return cls(
            words=embeddings.word_embeddings.weight.detach().float(),
            positions=(embeddings.position_embeddings.weight + token_type).detach().float(),
            norm=_affine(embeddings.LayerNorm),
            layers=tuple(_layer(layer, precision) for layer in model.encoder.layer),
            heads=model.config.num_attention_heads,
            epsilon=model.config.layer_norm_eps,
            precision=precision,
        )

    def rows(self, groups: Sequence[Group]) -> FloatArray:
        """Unit rows of a batch, float32 of shape (N, H), in the order of the groups' texts.

        Args:
            groups: Of a batch; see `token_batches`. N texts in all, of P tokens at most.
        """
        import torch

        with torch.inference_mode():
            device = self.words.device
            tokens = [torch.from_numpy(ids).to(device) for _, ids in groups]
            shapes = [(len(ids), ids.shape[1]) for ids in tokens]
            states = self._embedded(tokens)  # (T, H)
            for layer in self.layers:
                states = self._step(layer, states, shapes)
            parts = _parts(states, shapes)
            means = [
                part.view(*shape, -1).mean(dim=1) for part, shape in zip(parts, shapes, strict=True)
            ]
            pooled: FloatArray = torch.cat(means).cpu().numpy()
            return unit(pooled)

    def _embedded(self, tokens: Sequence[torch.Tensor]) -> torch.Tensor:
        import torch

        words = torch.cat([ids.reshape(-1) for ids in tokens])
        device = words.device
        places = [torch.arange(ids.shape[1], device=device).repeat(len(ids)) for ids in tokens]
        return self._normed(self.words[words] + self.positions[torch.cat(places)], self.norm)

    def _step(
        self, layer: _Layer, states: torch.Tensor, shapes: Sequence[tuple[int, int]]
    ) -> torch.Tensor:
        """One layer: states (T, H) -> (T, H), float32."""
        mixed = self._attended(linear(states.to(self.precision), *layer.qkv), shapes)
        states = self._normed(states + linear(mixed, *layer.mixed), layer.mixed_norm)
        wide = linear(states.to(self.precision), *layer.wide, gelu=True)
        return self._normed(states + linear(wide, *layer.narrow), layer.narrow_norm)

    def _attended(self, qkv: torch.Tensor, shapes: Sequence[tuple[int, int]]) -> torch.Tensor:
        """Attention inside each text: queries, keys and values (T, 3H) -> (T, H)."""
        import torch
        from torch.nn.functional import scaled_dot_product_attention

        width = qkv.shape[1] // 3
        if qkv.device.type == "cpu":
            qkv = qkv.float()  # attention has no 16-bit products there, and only converts more
        mixed: list[torch.Tensor] = []
        for part, (count, length) in zip(_parts(qkv, shapes), shapes, strict=True):
            heads = part.view(count, length, 3, self.heads, width // self.heads)
            queries, keys, values = heads.permute(2, 0, 3, 1, 4)  # (n, heads, L, width of a head)
            seen = scaled_dot_product_attention(queries, keys, values)
            mixed.append(seen.transpose(1, 2).reshape(count * length, width))
        return torch.cat(mixed).to(self.precision)

    def _normed(self, states: torch.Tensor, norm: Affine) -> torch.Tensor:
        from torch.nn.functional import layer_norm

        return layer_norm(states, (states.shape[1],), *norm, self.epsilon)


def fits(model: Any) -> bool:
    """Whether `PackedBert` computes what a transformers model does."""
    config = model.config
    return bool(
        type(model).__name__ == "BertModel"
        and config.hidden_act == "gelu"
        and getattr(config, "position_embedding_type", "absolute") in (None, "absolute")
        and not getattr(config, "is_decoder", False)
    )


def _parts(tokens: torch.Tensor, shapes: Sequence[tuple[int, int]]) -> Sequence[torch.Tensor]:
    """The rows (T, ...) of each group of texts."""
    import torch

    return torch.split(tokens, [count * length for count, length in shapes])


def _layer(layer: Any, precision: torch.dtype) -> _Layer:
    attention, seen = layer.attention.self, layer.attention.output
    return _Layer(
        qkv=_joined([attention.query, attention.key, attention.value], precision),
        mixed=_joined([seen.dense], precision),
        mixed_norm=_affine(seen.LayerNorm),
        wide=_joined([layer.intermediate.dense], precision),
        narrow=_joined([layer.output.dense], precision),
        narrow_norm=_affine(layer.output.LayerNorm),
    )


def _joined(modules: Sequence[Any], precision: torch.dtype) -> Affine:
    """Several linear layers of one input as one."""
    import torch

    weight = torch.cat([module.weight.detach() for module in modules])
    bias = torch.cat([module.bias.detach() for module in modules])
    return weight.to(precision), bias.to(precision)


def _affine(module: Any) -> Affine:
    return module.weight.detach().float(), module.bias.detach().float()
