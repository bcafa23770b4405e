"""Ranking clip-interrogator's phrases: this package against clip-interrogator itself.

Both get the same phrases (all that the installed package lists), the same rows for them and the
same images' embeddings, and answer the same questions: the nearest 32 phrases of all tables
(mode ``fast``), and the nearest medium, movement, artist, trending and three flavors (``classic``).
Ranking does not depend on what the rows mean, so they are random unit rows of ViT-H-14's width.
The answers are compared too: clip-interrogator ranks chunk by chunk, which is exact for so few.

    pip install -e ".[interrogator]"
    python experiments/benchmarks/interrogator.py [--images 64]
"""

from __future__ import annotations

import argparse
import operator
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace

import numpy as np

from unprompt import unit
from unprompt.types import FloatArray
from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.phrases import Phrases
from unprompt_blip.tables import MERGED, read_tables

WIDTH = 1024
Questions = Mapping[str, tuple[Sequence[str], int]]
FAST: Questions = {"all": (MERGED, 32)}
CLASSIC: Questions = {
    "mediums": (("mediums",), 1),
    "movements": (("movements",), 1),
    "artists": (("artists",), 1),
    "trendings": (("trendings",), 1),
    "flavors": (("flavors",), 3),
}


def main() -> None:
    """Time both on both questions and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--theirs", type=int, default=8, help="images that theirs is timed on")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # clip-interrogator warns once per call
    rng = np.random.default_rng(0)
    phrases = _phrases(rng)
    images = unit(rng.standard_normal((arguments.images, WIDTH), dtype=np.float32))
    ranked = sum(len(phrases.tables[name]) for name in MERGED)
    print(f"{ranked:,} phrases of {WIDTH} numbers, {len(images)} images in one batch;")
    print(f"clip-interrogator one by one, as it works, on {arguments.theirs} of them")
    print(f"{'mode':8} {'clip-interrogator':>18} {'unprompt':>12}  ratio  same answers")
    for mode, questions in (("fast", FAST), ("classic", CLASSIC)):
        print(f"{mode:8} {_compared(phrases, questions, images, images[: arguments.theirs])}")


def _compared(phrases: Phrases, questions: Questions, images: FloatArray, few: FloatArray) -> str:
    """Milliseconds an image, theirs on a few images; their ratio; how many answers agree."""
    rank = _theirs(phrases, questions)
    slow, theirs = _timed(lambda: [rank(row) for row in few])
    _ours(phrases, questions, images)  # the first call lays the rows out
    fast, ours = _timed(lambda: _ours(phrases, questions, images))
    same = sum(map(operator.eq, theirs, ours))
    each = slow / len(few), fast / len(images)
    return (
        f"{each[0] * 1e3:15.1f} ms {each[1] * 1e3:9.2f} ms  {each[0] / each[1]:4.0f}x"
        f"  {same} of {len(few)}"
    )


def _phrases(rng: np.random.Generator) -> Phrases:
    """The installed package's tables, as the interrogator would keep them."""
    options = InterrogatorOptions.model_validate({"tables": "clip-interrogator"})
    tables = read_tables(options)
    texts = tuple(dict.fromkeys(text for lines in tables.values() for text in lines))
    number = {text: i for i, text in enumerate(texts)}
    rows = unit(rng.standard_normal((len(texts), WIDTH), dtype=np.float32))
    members = {
        name: np.array(list(dict.fromkeys(number[text] for text in lines)), np.int64)
        for name, lines in tables.items()
    }
    return Phrases(texts, rows, members)


def _ours(phrases: Phrases, questions: Questions, images: FloatArray) -> list[list[str]]:
    """One product for the batch, one top-k per question."""
    cosines = phrases.cosines(images, "cpu")
    tops = [phrases.top(cosines, tables, count) for tables, count in questions.values()]
    return [
        [phrases.texts[number] for top in tops for number in top[i]] for i in range(len(images))
    ]


def _theirs(phrases: Phrases, questions: Questions) -> Callable[[FloatArray], list[str]]:
    """clip-interrogator's own tables, filled with our rows instead of its cache's."""
    import torch
    from clip_interrogator.clip_interrogator import (
        Config,
        LabelTable,
    )

    config = Config(device="cpu", cache_path=None, quiet=True, download_cache=False)
    asker = SimpleNamespace(clip_model=None, config=config, tokenize=None)
    tables = []
    for names, count in questions.values():
        numbers = np.concatenate([phrases.tables[name] for name in names])
        table = LabelTable([], None, asker)
        table.labels = [phrases.texts[number] for number in numbers]
        table.embeds = list(phrases.rows[numbers])
        tables.append((table, count))

    def rank(row: FloatArray) -> list[str]:
        features = torch.from_numpy(row[None])
        return [text for table, count in tables for text in table.rank(features, count)]

    return rank


def _timed(work: Callable[[], list[list[str]]]) -> tuple[float, list[list[str]]]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
