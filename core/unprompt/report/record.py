"""Where the time went, other ways to blend, and what is needed to repeat the run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from unprompt.report.headline import conclusion, size
from unprompt.report.numbers import Estimate, estimate, mapping, number
from unprompt.report.search import Bar, bars
from unprompt.report.source import Run
from unprompt.search.storages import masked
from unprompt.types import Json

STAGES = 12
"""Stages that are shown; the others are summed up."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """Another way to blend, judged on the test split.

    Attributes:
        name: As the experiment says it.
        test: Its score.
        versus: Its score minus that of the blend.
        words: What may be concluded.
    """

    name: str
    test: Estimate | None
    versus: Estimate | None
    words: str


@dataclass(frozen=True, slots=True)
class Stages:
    """Wall-clock seconds, the slowest first.

    Attributes:
        bars: The slowest stages.
        rest: Seconds of those that are not shown.
        others: How many they are.
        total: Seconds of all.
    """

    bars: tuple[Bar, ...]
    rest: float
    others: int
    total: float


@dataclass(frozen=True, slots=True)
class Record:
    """What is needed to explain or repeat the numbers.

    Attributes:
        command: What was typed; None where the run does not say.
        versions: Package -> version.
        plugins: Name -> the distribution that it came from.
        hashes: What it is of -> SHA-256, or what else identifies it.
        machine: Name -> value.
    """

    command: str | None
    versions: Mapping[str, str]
    plugins: Mapping[str, str]
    hashes: Mapping[str, str]
    machine: Mapping[str, str]


def ablations(run: Run) -> tuple[Ablation, ...]:
    """Every ablation of the run, in its order."""
    groups = size(run, "groups")
    found = []
    for name, entry in run.part("ablations").items():
        versus = estimate(mapping(entry).get("versus"))
        words = conclusion(versus, groups) if versus else ""
        found.append(Ablation(str(name), estimate(entry), versus, words))
    return tuple(found)


def stages(run: Run) -> Stages | None:
    """Sort the stages by their seconds; None where the run did not time them."""
    every = bars(mapping(run.manifest.get("seconds")))
    if not every:
        return None
    rest = sum(bar.value for bar in every[STAGES:])
    others = max(0, len(every) - STAGES)
    return Stages(every[:STAGES], rest, others, sum(bar.value for bar in every))


def record(run: Run) -> Record:
    """Read the manifest."""
    manifest = run.manifest
    hashes = {
        "experiment": manifest.get("experiment_hash"),
        "data": manifest.get("data_hash"),
        "splits": manifest.get("splits_hash"),
        "text encoder": manifest.get("text_encoder"),
    }
    members = mapping(manifest.get("members"))
    hashes |= {f"member {name}": digest for name, digest in members.items()}
    return Record(
        command=_command(manifest.get("command")),
        versions=_texts(manifest.get("versions")),
        plugins=_texts(manifest.get("plugins")),
        hashes=_texts(hashes),
        machine=_machine(mapping(manifest.get("hardware"))),
    )


def _command(words: Json) -> str | None:
    """The command as typed: the program by its name, quoted where a shell needs it."""
    if not isinstance(words, list) or not words:
        return None
    program, *arguments = (masked(str(word)) for word in words)
    return shlex.join([PurePath(program).name, *arguments])


def _machine(hardware: Mapping[str, Json]) -> dict[str, str]:
    said = {key: hardware.get(key) for key in ("platform", "processor", "cores")}
    peak = number(hardware.get("peak_memory_bytes"))
    if peak is not None:
        said["peak memory"] = f"{peak / 2**30:.2f}\N{NO-BREAK SPACE}GiB"
    return _texts(said)


def _texts(values: Json) -> dict[str, str]:
    return {str(name): str(value) for name, value in mapping(values).items() if value is not None}
