"""Members' predictions under other options, computed once for each content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from unprompt._config.options import revised
from unprompt._members.member import Prepared, Workshop, build, owned
from unprompt._registry.loading import Member, Part
from unprompt.contracts import Images
from unprompt.embeddings import Embeddings
from unprompt.errors import PluginError
from unprompt.types import FloatArray, Json

FILE = "variants.safetensors"


def revised_member(member: Member, changes: Mapping[str, Json]) -> Member:
    """A member with other options; the same where nothing changes."""
    if not changes:
        return member
    part = member.part
    options = type(part.options).model_validate(revised(part.options, changes))
    return replace(member, part=Part(part.spec, options))


def predict_variants(
    prepared: Prepared, images: Images, changes: Sequence[Mapping[str, Json]], shop: Workshop
) -> list[Embeddings]:
    """One member's predictions under each choice of options.

    Args:
        prepared: The member as the ensemble says it.
        images: N pictures.
        changes: V choices, each option's path -> value.
        shop: Registry, runtime and cache.

    Returns:
        V predictions, pictures in the order of ``images.ids``.

    Raises:
        ConfigError: The family cannot change one of these options cheaply.
        PluginError: It left a picture out, invented or repeated one.
    """
    from safetensors.numpy import load_file, save_file

    member = prepared.member
    options = [revised_member(member, change).part.options for change in changes]

    def make(folder: Path) -> None:
        with closing(build(member, shop, prepared.text_encoder)) as predictor:
            predictor.load(prepared.artifact)
            rows = _collected(predictor.predict_variants(images, options), images.ids)
        save_file({"rows": rows}, folder / FILE)

    with owned(member):
        pictures = [(name, images.digest(name)) for name in images.ids]
        plain = [one.model_dump(mode="json") for one in options]
        folder = shop.cache.folder("variants", [prepared.key, pictures, plain], make)
        rows: FloatArray = load_file(folder / FILE)["rows"]  # (V, N, D)
    return [Embeddings(tuple(images.ids), one) for one in rows]


def _collected(batches: Iterable[Sequence[Embeddings]], ids: Sequence[str]) -> FloatArray:
    """Of shape (V, N, D), pictures in the order of ``ids``."""
    parts = [list(batch) for batch in batches]
    got = [name for part in parts for name in part[0].ids]
    if sorted(got) != sorted(ids):
        raise PluginError("variants: did not predict each picture once")
    stacked = np.concatenate([np.stack([one.rows for one in part]) for part in parts], axis=1)
    place = {name: i for i, name in enumerate(got)}
    ordered: FloatArray = np.ascontiguousarray(stacked[:, [place[name] for name in ids]])
    return ordered
