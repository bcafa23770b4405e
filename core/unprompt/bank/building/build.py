"""Building a bank: by any number of processes, from where the last ones stopped."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from unprompt._data.space import TextSpace
from unprompt._files import paths
from unprompt._files.hashing import content_hash
from unprompt._files.reading import read_json
from unprompt._files.writing import write_json
from unprompt.bank.building import folders
from unprompt.bank.building.collect import Collected, read_collected
from unprompt.bank.building.encode import Encoder, encode_shard
from unprompt.bank.store.manifest import (
    LIMIT,
    SHARDS,
    BankBackbone,
    BankManifest,
    BankShard,
    read_done,
    read_manifest,
    shard_name,
    write_manifest,
)
from unprompt.bank.store.progress import COLLECTED
from unprompt.bank.store.stored import StoredBank
from unprompt.bank.store.ticks import ticking
from unprompt.contracts import Progress, silent
from unprompt.errors import ConfigError, UnpromptError
from unprompt.types import PlainData

log = logging.getLogger(__name__)

PATIENCE = 0.5
"""Seconds between two looks at a shard that another process has."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a bank is built from.

    Attributes:
        request: Everything that its bytes depend on; processes with another one are refused.
        text_encoder: Whose space the targets are in.
        target_dim: D.
        backbone: Whose space the keys are in; None: there are none.
        encoders: One for each array.
        collect: The first stage: reads and cleans the sources into the folder it is given.
    """

    request: Mapping[str, PlainData]
    text_encoder: TextSpace
    target_dim: int
    backbone: BankBackbone | None
    encoders: tuple[Encoder, ...]
    collect: Callable[[Path], Collected]


@dataclass(frozen=True, slots=True)
class Built:
    """How far a bank is.

    Attributes:
        folder: The bank's.
        shards: How many it has.
        done: How many of them are finished.
        bank: The bank, where all are.
    """

    folder: Path
    shards: int
    done: int
    bank: StoredBank | None


def build(
    folder: Path,
    plan: Plan,
    *,
    share: tuple[int, int] | None = None,
    progress: Progress = silent,
) -> Built:
    """Build a bank, or go on with one: finished shards are kept.

    Several processes may do so at once: each takes shards that nobody has.

    Args:
        folder: A new or an empty folder, or one that the same plan is being built in.
        plan: What it is built from.
        share: ``(i, n)`` with i from 1: only every n-th shard, for machines whose file system has
            no locks; None: any.
        progress: Shows how many prompts are read and encoded.

    Raises:
        ConfigError: Another plan is being built there.
        DataError: A source is broken, no prompt is left, or an encoder fails.
        OutputError: The folder holds something else, or cannot be written. Without a finished
            shard nothing is left behind.
    """
    while True:
        if folders.is_finished(folder):
            return _finished(folder, plan)
        folders.begin(folder)
        collected = _first_stage(folder, plan)
        if collected is None:
            continue  # another process has finished or given up meanwhile
        with _giving_up(folder, collected):
            _second_stage(folder, plan, collected, share, progress)
        done = sum(shard is not None for shard in _done(folder, collected))
        if done == len(collected.parts):
            with folders.held(folders.main_lock(folder), wait=True) as own:
                if own:
                    _finish(folder, plan, collected)
        elif folders.building(folder).is_dir():
            return Built(folder, len(collected.parts), done, None)


def _first_stage(folder: Path, plan: Plan) -> Collected | None:
    """What the sources hold, read by one process; None where building has ended meanwhile."""
    lock = folders.main_lock(folder)
    with folders.held(lock, wait=False) as own:
        if own:
            return _collected(folder, plan)
    log.info("%s: another process reads its sources; waiting for it", paths.shown(folder))
    with folders.held(lock, wait=True) as own:
        return _collected(folder, plan) if own else None


def _collected(folder: Path, plan: Plan) -> Collected:
    at = folders.building(folder)
    if (at / COLLECTED).is_file():
        _check_request(folder, plan)
        return read_collected(folder)
    # What a killed process has read is incomplete: there is no mark of it.
    for part in (folder / SHARDS, at / folders.SPILL, at / folders.ORDER):
        shutil.rmtree(part, ignore_errors=True)
    try:
        write_json(at / folders.REQUEST, plan.request)
        return plan.collect(folder)
    except BaseException:
        folders.give_up(folder)
        raise


def _check_request(folder: Path, plan: Plan) -> None:
    """Refuse to mix two requests in one bank.

    Raises:
        ConfigError: They differ; names the first part that does.
    """
    path = folders.building(folder) / folders.REQUEST
    begun = read_json(path, dict, limit=LIMIT)
    asked = json.loads(json.dumps(plan.request))
    for key in {**begun, **asked}:
        before, now = begun.get(key), asked.get(key)
        if before != now:
            plain = not isinstance(before, dict | list) and not isinstance(now, dict | list)
            values = f" ({before}, not {now})" if plain else ""
            raise ConfigError(
                f"{paths.shown(folder)}: this bank was begun with other {key}{values}; give the "
                "same, or choose another folder"
            )


def _second_stage(
    folder: Path,
    plan: Plan,
    collected: Collected,
    share: tuple[int, int] | None,
    progress: Progress,
) -> None:
    """Encode shards until those of this process are done, or building has ended elsewhere."""
    i, n = share or (1, 1)
    own = range(i - 1, len(collected.parts), n)
    pending = [number for number in own if _mark(folder, collected, number) is None]
    rows = sum(collected.parts[number].rows for number in pending)
    with ticking(progress, "encode prompts", rows) as tick:
        while pending and folders.building(folder).is_dir():
            before = len(pending)
            for number in list(pending):
                lock = folders.building(folder) / folders.LOCKS / shard_name(number)
                with folders.held(lock, wait=False) as held:
                    if not held:
                        continue
                    if _mark(folder, collected, number) is None:
                        encode_shard(folder, number, collected, plan.encoders, tick)
                    else:  # by another process
                        tick(collected.parts[number].rows)
                    pending.remove(number)
            if len(pending) == before:
                time.sleep(PATIENCE)


def _mark(folder: Path, collected: Collected, number: int) -> BankShard | None:
    """The mark of a shard; None: it is not finished."""
    shard = read_done(folder, shard_name(number))
    part = collected.parts[number]
    return shard if shard and shard.rows == part.rows else None


def _done(folder: Path, collected: Collected) -> list[BankShard | None]:
    return [_mark(folder, collected, number) for number in range(len(collected.parts))]


@contextmanager
def _giving_up(folder: Path, collected: Collected) -> Iterator[None]:
    """After a mistake, remove a bank without a finished shard; else say that those are kept."""
    try:
        yield
    except UnpromptError as error:
        done = sum(shard is not None for shard in _done(folder, collected))
        if done:
            error.add_note(
                f"{paths.shown(folder)}: {done} of {len(collected.parts)} shards are done and "
                "kept; the same command goes on from there"
            )
        else:
            _remove_unless_used(folder, collected)
        raise


def _remove_unless_used(folder: Path, collected: Collected) -> None:
    """Remove a bank that no other process builds."""
    locks = [
        folders.building(folder) / folders.LOCKS / shard_name(number)
        for number in range(len(collected.parts))
    ]
    with ExitStack() as stack:
        if all(
            stack.enter_context(folders.held(lock, wait=False))
            for lock in (folders.main_lock(folder), *locks)
        ):
            folders.give_up(folder)


def _finish(folder: Path, plan: Plan, collected: Collected) -> None:
    """Write the manifest; from then on the folder is a bank."""
    shards = [shard for shard in _done(folder, collected) if shard is not None]
    if not folders.is_finished(folder):
        manifest = BankManifest(
            rows=sum(shard.rows for shard in shards),
            counted=collected.counted,
            text_encoder=plan.text_encoder,
            target_dim=plan.target_dim,
            backbone=plan.backbone,
            sources=tuple(collected.sources),
            filters=tuple(collected.filters),
            shards=tuple(shards),
            request=content_hash(plan.request),
        )
        write_manifest(folder, manifest)
    folders.end(folder)


def _finished(folder: Path, plan: Plan) -> Built:
    """The bank of a folder that is finished.

    Raises:
        OutputError: It is another one.
        DataError: It is damaged.
    """
    manifest = read_manifest(folder)
    if manifest.request != content_hash(plan.request):
        raise folders.taken(folder)
    folders.end(folder)  # what a process that was killed in its last moment left
    return Built(folder, len(manifest.shards), len(manifest.shards), StoredBank.open(folder))
