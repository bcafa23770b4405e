"""The text encoder that predictions are scored with: the one that they were predicted for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unprompt._config.check import finish
from unprompt._config.environment import resolve
from unprompt._config.source import Position, Source, walk
from unprompt._data.space import TextSpace
from unprompt._masking import is_masked
from unprompt._members.context import Context
from unprompt._pipeline.setup import ensemble_file
from unprompt._registry.loading import TEXT_ENCODER, load_ensemble, part_at
from unprompt._registry.parts import Part
from unprompt._registry.plugins import Registry
from unprompt.contracts import TextEncoder
from unprompt.contracts.specs import TextEncoderSpec
from unprompt.errors import DataError

NAME_IT = "name the ensemble that predicted them (--ensemble)"


@dataclass(frozen=True, slots=True)
class Target:
    """What predictions are scored with.

    Attributes:
        encoder: The text encoder.
        plugin: Its plugin.
        assumed: Whether nothing says that they were predicted for it, and only their width fits.
    """

    encoder: TextEncoder
    plugin: str
    assumed: bool


def target_of(
    space: TextSpace | None, ensemble: Path | None, dim: int, owner: str, context: Context
) -> Target:
    """The text encoder of predictions.

    Args:
        space: What their file says.
        ensemble: The ensemble that predicted them: a YAML file or a run's folder; None: the file
            says it, or it is the default encoder.
        dim: D, numbers per image.
        owner: How error lines name the predictions.
        context: Builds the encoder.

    Raises:
        UnpromptError: They are of another text encoder than the one that is named or installed, or
            not as wide; one line says which.
    """
    part = _part(space, ensemble, owner, context)
    encoder = context.text_encoder(part)
    if space is not None and space.identity != encoder.identity:
        which = "the ensemble's" if ensemble else f"plugin {part.plugin!r}"
        raise DataError(
            f"{owner}: predicted for the text encoder {space.identity!r}; {which} is "
            f"{encoder.identity!r}, another space"
        )
    assumed = space is None and ensemble is None
    if dim != encoder.dim:
        hint = f": {NAME_IT}" if assumed else ""
        raise DataError(f"{owner}: {dim} numbers per image, {part.plugin} has {encoder.dim}{hint}")
    return Target(encoder, part.plugin, assumed)


def _part(space: TextSpace | None, ensemble: Path | None, owner: str, context: Context) -> Part:
    registry = context.registry
    if ensemble is not None:
        return load_ensemble(ensemble_file(ensemble), registry).text_encoder
    if space is None:
        spec = registry.spec(registry.own(TEXT_ENCODER), TextEncoderSpec)
        return Part(spec, spec.options())
    return part_of(space, owner, registry)


def part_of(space: TextSpace, owner: str, registry: Registry) -> Part:
    """The plugin of a text encoder that a file names, with its options.

    Args:
        space: What the file says.
        owner: How error lines name the file.
        registry: The plugins.

    Raises:
        UnpromptError: It is not installed, takes other options, or has a secret.
    """
    data = {"plugin": space.plugin, "options": space.options}
    if any(isinstance(value, str) and is_masked(value) for _, value in walk(data)):
        raise DataError(f"{owner}: its text encoder has a secret, which is not kept: {NAME_IT}")
    source = Source(data, {(): Position(f"{owner}: text_encoder")})
    resolve(source)
    part = part_at(source, (), registry, TextEncoderSpec)
    finish(source)
    assert part is not None  # finish() raised otherwise
    return part
