"""``manifest.json``: what is needed to explain or repeat a run's numbers."""

from __future__ import annotations

from collections.abc import Mapping

from unprompt._registry.installs import RecordedInstall
from unprompt._scoring.estimate import Result


class Hardware(Result):
    """The machine, and the most memory that the run's process has held."""

    platform: str
    processor: str
    cores: int | None
    peak_memory_bytes: int


class Manifest(Result):
    """The content of ``manifest.json``.

    Attributes:
        command: What was typed, word by word.
        experiment_hash: SHA-256 of the resolved configuration.
        text_encoder: The target space's identity.
        data_hash: SHA-256 of image ids and prompts.
        splits_hash: SHA-256 of who is in which split.
        members: Member -> SHA-256 of all that its predictions depend on but the images.
        plugins: Plugin -> the distribution and version that it came from, and how that was
            installed.
        versions: Package -> version.
        hardware: The machine.
        seconds: Stage -> wall-clock seconds, in the order of their first use.
        notes: What a reader of the scores should know, a sentence each.
    """

    command: tuple[str, ...]
    experiment_hash: str
    text_encoder: str
    data_hash: str
    splits_hash: str
    members: Mapping[str, str]
    plugins: Mapping[str, RecordedInstall]
    versions: Mapping[str, str]
    hardware: Hardware
    seconds: Mapping[str, float]
    notes: tuple[str, ...] = ()
