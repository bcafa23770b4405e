"""What libraries say of files that they cannot use: one line that names the file and its owner."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unprompt._files import paths, reading
from unprompt.errors import DataError, MissingFileError, UnpromptError
from unprompt.towers.normalisation import check_normalisation

_JSON_LIMIT = 64 << 20
"""Bytes of a configuration or a tokenizer; the largest known tokenizers have 35 MB."""

_OBJECTS = frozenset(
    {
        "added_tokens.json",
        "config.json",
        "config_sentence_transformers.json",
        "generation_config.json",
        "open_clip_config.json",
        "preprocessor_config.json",
        "processor_config.json",
        "sentence_bert_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
    }
)
"""JSON files that libraries read as objects, and say nothing clear of lists; others are left."""

_LAYERS, _MOST_LAYERS = re.compile(r"layers|depth|blocks"), 1000
"""Keys that say how many layers a model has, and more than any has."""

_SMALL = 1 << 26
"""Numbers of a model that is built in any case: the keys that do not fit are named then."""

_LIBRARY = 300
"""Letters of what a library says."""


@contextmanager
def owned(owner: str) -> Iterator[None]:
    """Put who needs a file in front of each error line about it."""
    try:
        yield
    except UnpromptError as error:
        raise type(error)([f"{owner}: {line}" for line in error.problems]) from error


def check_readable(path: Path) -> None:
    """Open a file of a model: what libraries say of a broken one names none.

    Raises:
        DataError: It is damaged, no regular file, or a Git LFS pointer; names it.
    """
    reading.check_file(path)
    if path.suffix == ".json":
        index = path.name.endswith(".index.json")
        kind = dict if index or path.name in _OBJECTS else object
        content = reading.read_json(path, kind, limit=_JSON_LIMIT)
        if index:
            _check_index(path, content)
        elif path.name.endswith("config.json"):
            _check_layers(path, content)
            check_normalisation(path, content)
    elif path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        with reading.reading(path, SafetensorError), safe_open(path, "numpy"):
            pass  # opening checks the header against the file's size


def _check_index(path: Path, content: Any) -> None:
    """Check that an index names files of its own folder."""
    shards = content.get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
        raise DataError(f"{paths.shown(path)}: its `weight_map` should map keys to files")
    foreign = sorted(name for name in set(shards.values()) if Path(name).name != name)
    if foreign:
        raise DataError(f"{paths.shown(path)}: names {foreign[0][:80]!r}, no file of its folder")


def _check_layers(path: Path, content: Any) -> None:
    """Refuse a number of layers that would take for ever to build."""
    waiting: list[tuple[str, Any]] = [("", content)] if isinstance(content, dict | list) else []
    for key, value in waiting:  # grows while it is walked
        inner = value.items() if isinstance(value, dict) else ((key, item) for item in value)
        for name, item in inner:
            if isinstance(item, dict | list):
                waiting.append((name, item))
            elif isinstance(item, int | float) and item > _MOST_LAYERS and _LAYERS.search(name):
                raise DataError(f"{paths.shown(path)}: {name[:80]!r} is more than {_MOST_LAYERS}")


def check_size(model: Any, files: Iterable[Path]) -> None:
    """Refuse a configuration of far more parameters than its checkpoint has bytes.

    Args:
        model: Built on the device ``meta``, where numbers take no memory.
        files: The checkpoint; other files are left out.

    Raises:
        DataError: It would take memory that the checkpoint could never fill.
    """
    count = sum(parameter.numel() for parameter in model.parameters())
    checkpoint = [path for path in files if path.suffix in (".safetensors", ".bin")]
    held = sum(path.stat().st_size for path in checkpoint)
    if checkpoint and count > max(held, _SMALL):
        raise DataError(
            f"{paths.shown(checkpoint[0].parent)}: its configuration describes {count:,} numbers, "
            f"and its checkpoint has {held:,} bytes"
        )


@contextmanager
def loading(what: object, owner: str) -> Iterator[None]:
    """Turn what a library says of files that it cannot use into one line.

    Args:
        what: The files, as an error line names them.
        owner: Who needs them, likewise.

    Raises:
        MissingFileError: One more file is needed and not there: libraries raise OSError then, and
            `find_folder` has opened those that are there.
        DataError: They hold something else than the library wants.
    """
    try:
        yield
    except UnpromptError as error:
        if all(line.startswith(f"{owner}: ") for line in error.problems):
            raise
        raise type(error)([f"{owner}: {line}" for line in error.problems]) from error
    except OSError as error:
        line = f"{owner}: cannot load {what}: {said(error)}"
        raise MissingFileError(line) from error
    except Exception as error:  # the block only loads: libraries raise what they meet in a file
        raise DataError(f"{owner}: cannot load {what}: {said(error)}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # how tokenizers, in Rust, gives up
            raise
        raise DataError(f"{owner}: cannot load {what}: {said(error)}") from error


@contextmanager
def silent() -> Iterator[None]:
    """Without warnings of libraries: what they say of a checkpoint becomes our error line."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def said(error: BaseException) -> str:
    """A library's message: its first line, and the lines that one ending in a colon announces."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if isinstance(error, RecursionError):
        return "nested too deeply"
    text = " ".join(lines) if lines[0].endswith(":") else lines[0]
    if isinstance(error, KeyError | AttributeError | IndexError):
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= _LIBRARY else f"{text[:_LIBRARY]}..."
