"""The prompts of a bank that are nearest to a text or an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unprompt._data.images import folder_images
from unprompt._data.kinds import looks_like_image
from unprompt._data.texts import given
from unprompt._files import paths
from unprompt._files.paths import user_path
from unprompt._members.context import Context
from unprompt._pipeline.bank_backbone import towers_of
from unprompt._pipeline.setup import make_context, runtime_config
from unprompt._pipeline.target import part_of
from unprompt._registry.plugins import Registry
from unprompt.bank.indexing import index_of, open_index
from unprompt.bank.search import LEAST_RECALL, search_exact
from unprompt.bank.store import StoredBank
from unprompt.bank.store.stored import What
from unprompt.contracts import Progress, silent
from unprompt.errors import ConfigError, DataError
from unprompt.towers import IDENTITY, ClipQueries
from unprompt.types import FloatArray


@dataclass(frozen=True, slots=True)
class BankHit:
    """A prompt of a bank that was found.

    Attributes:
        row: Its number in the bank.
        prompt: The prompt.
        count: How often it occurred in the bank's sources.
        cosine: With the query.
    """

    row: int
    prompt: str
    count: int
    cosine: float


def search_bank(
    folder: Path | str | StoredBank,
    query: str,
    count: int = 10,
    *,
    index: str | None = None,
    recall: float = LEAST_RECALL,
    device: str = "cpu",
    precision: str = "float32",
    offline: bool = False,
    progress: Progress = silent,
) -> list[BankHit]:
    """The prompts of a bank that are nearest to a text or an image.

    Args:
        folder: The bank.
        query: An image's file, which is compared with the bank's keys by its backbone; any other
            text is compared with the targets by the bank's text encoder.
        count: How many prompts; a smaller bank gives fewer.
        index: A name of an index that `index_bank` made, for approximate search; None: search is
            exact.
        recall: What has to have been measured of that index at least.
        device: A torch device, such as ``cpu`` or ``cuda:0``.
        precision: ``float32``, ``bfloat16`` or ``auto``.
        offline: Never touch the network.
        progress: Shows progress.

    Returns:
        The nearest first; of equally near ones the one with the lower row.

    Raises:
        DataError: The bank or the image is damaged or not there, the bank has no keys or not the
            index, or the index finds less than ``recall``.
        UnpromptError: The bank's text encoder or backbone is not here, or is another one by now;
            the query is not UTF-8.
    """
    if count < 1:
        raise ConfigError(f"-k: should be at least 1, got {count}")
    bank = folder if isinstance(folder, StoredBank) else StoredBank.open(user_path(folder))
    config = runtime_config(device, precision, 64)
    context = make_context(Registry(), config, offline=offline, progress=progress)
    if index is not None:
        index_of(bank, index)  # before models are loaded
    path = _image(given(query, "the text to search for"))
    what: What
    if path is None:
        what, queries = "targets", _text_query(bank, query, context)
    else:
        what, queries = "keys", _image_query(bank, path, context)
    with bank.naming_rows(what):
        if index is None:
            rows = bank.targets if path is None else bank.keys
            near = search_exact(queries, rows, count, device=device)
        else:
            near = open_index(bank, index, what, recall).search(queries, count, recall=recall)
    numbers = near.rows[0]
    pairs = zip(
        numbers.tolist(),
        bank.texts(numbers),
        bank.counts(numbers).tolist(),
        near.cosines[0].tolist(),
        strict=True,
    )
    return [BankHit(*pair) for pair in pairs]


def _image(query: str) -> Path | None:
    """The image that a query names; None: it is a text.

    Raises:
        DataError: It is called like an image, and there is none.
    """
    try:
        path = user_path(query)
        if paths.is_file(path):
            return path
    except DataError:  # a text that no file can be called, such as a long one
        return None
    if looks_like_image(path.name) and " " not in query:
        raise DataError(f"{paths.shown(path)}: no such image")
    return None


def _text_query(bank: StoredBank, text: str, context: Context) -> FloatArray:
    """A text's embedding in the target space (1, D)."""
    if not text.strip():
        raise DataError("the text to search for is empty")
    space, owner = bank.manifest.text_encoder, paths.shown(bank.folder)
    encoder = context.text_encoder(part_of(space, owner, context.registry))
    if encoder.identity != space.identity:
        raise DataError(
            f"{owner}: its targets are of the text encoder {space.identity!r}; plugin "
            f"{space.plugin!r} is {encoder.identity!r} here"
        )
    return encoder.encode([text])


def _image_query(bank: StoredBank, path: Path, context: Context) -> FloatArray:
    """An image's embedding by the bank's backbone (1, C)."""
    clip = towers_of(bank, context.runtime)
    images = folder_images([path])
    queries = ClipQueries(clip, IDENTITY, context.runtime)
    ((_, rows),) = queries.batches(images, what="embed the image")
    return rows
