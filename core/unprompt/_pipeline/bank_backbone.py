"""A bank's backbone: as a command names it, as a bank says it, and its texts' embeddings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from unprompt._files import paths
from unprompt._files.paths import user_path
from unprompt._files.reading import mistake
from unprompt.bank.store import BankBackbone, StoredBank
from unprompt.contracts import Runtime, silent
from unprompt.errors import ConfigError, DataError
from unprompt.towers import ClipTowers, OpenClipSource
from unprompt.towers.open_clip_files import resolve
from unprompt.types import FloatArray

OWNER = "the bank's backbone"

PREFIX = "open_clip:"
"""May stand in front of a model and its tag."""

_FOLDERS = ("package:", "/", "./", "../", "~")

_SOURCE: TypeAdapter[OpenClipSource] = TypeAdapter(OpenClipSource)


def backbone_source(text: str | OpenClipSource) -> OpenClipSource:
    """A backbone as a command names it.

    Args:
        text: ``MODEL/TAG`` that open_clip knows, ``hf-hub:ID``, or a folder with configuration and
            parameters; ``package:NAME/...`` is in an installed package. A source is taken as it is.

    Raises:
        ConfigError: It is none of these.
    """
    if not isinstance(text, str):
        return text
    bare = text.removeprefix(PREFIX)
    if bare.startswith(("hf-hub:", "local-dir:")):
        raw = {"model": bare}
    elif bare.startswith(_FOLDERS) or (bare and paths.is_folder(user_path(bare))):
        raw = {"folder": bare}
    else:
        model, _, tag = bare.partition("/")
        if not model or not tag:
            raise ConfigError(
                f"--backbone {paths.shown(text)}: should be MODEL/TAG, such as "
                "ViT-H-14/laion2b_s32b_b79k, hf-hub:ID, or a folder that exists"
            )
        raw = {"model": model, "pretrained": tag}
    try:
        return _SOURCE.validate_python(raw)
    except ValidationError as error:
        raise ConfigError(f"--backbone {paths.shown(text)}: {mistake(error)}") from error


def described(source: OpenClipSource, runtime: Runtime) -> BankBackbone:
    """What a bank says of its backbone; raises as a tower does that is loaded."""
    architecture = resolve(source, runtime, OWNER).architecture
    return BankBackbone(
        identity=_identity(source, runtime),
        source=source.model_dump(mode="json", exclude_none=True),
        dim=int(architecture["embed_dim"]),
        precision=runtime.precision,
    )


def _identity(source: OpenClipSource, runtime: Runtime) -> dict[str, Any]:
    """What a backbone is, by content, as a manifest's JSON gives it back."""
    identity: dict[str, Any] = json.loads(json.dumps(ClipTowers.identity(source, runtime, OWNER)))
    return identity


@dataclass(slots=True)
class TextTower:
    """A backbone's text tower, which is loaded when the first text comes."""

    source: OpenClipSource
    runtime: Runtime
    _towers: list[ClipTowers] = field(default_factory=list)

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Unit rows, float32 of shape (len(texts), C)."""
        if not self._towers:
            quiet = replace(self.runtime, progress=silent)
            self._towers.append(ClipTowers(self.source, quiet, OWNER))
        return self._towers[0].texts(texts)


def towers_of(bank: StoredBank, runtime: Runtime) -> ClipTowers:
    """Load the backbone that a bank's keys were made with.

    Raises:
        DataError: The bank has no keys, or what its manifest names is another model by now.
        UnpromptError: The backbone is not here.
    """
    backbone = bank.manifest.backbone
    shown = paths.shown(bank.folder)
    if backbone is None:
        raise DataError(
            f"{shown}: has no keys to search images by; `unprompt bank build {shown} --output DIR "
            "--backbone B` makes a bank with them"
        )
    source = _SOURCE.validate_python(backbone.source)
    check_backbone(bank, source, runtime)
    return ClipTowers(source, runtime, OWNER)


def check_backbone(bank: StoredBank, source: OpenClipSource, runtime: Runtime) -> None:
    """Refuse a backbone whose keys a bank does not hold.

    Raises:
        DataError: It is another one; names both.
    """
    backbone = bank.manifest.backbone
    if backbone is None or _identity(source, runtime) != backbone.identity:
        of = "has no keys" if backbone is None else f"its keys are of {backbone.name}"
        raise DataError(
            f"{paths.shown(bank.folder)}: {of}, not of {source.describe()} as it is here"
        )
