"""How fast prompts are encoded, against sentence-transformers with its defaults, in one run.

    python experiments/benchmarks/encoding.py [--texts N] [--rounds N] [--threads N]

Two kinds of prompts: the painter's, and prompts as people write them, of 5 to 70 tokens with a
long tail. All ways take turns, so that a busy machine disturbs all alike; processor time, which
other programs disturb less, is printed beside the time on the clock. Cosines are those of each row
with the library's row in float32.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from random import Random
from statistics import median

import numpy as np

from unprompt import Runtime
from unprompt._builtin.minilm import MiniLM, MiniLMOptions
from unprompt.embeddings import unit
from unprompt.types import FloatArray

SUBJECTS = "a portrait of a woman|a castle on a cliff|two foxes|an astronaut|a ramen bowl|a knight"
DETAILS = (
    "highly detailed|intricate|trending on artstation|by greg rutkowski|octane render|8k|hdr|"
    "volumetric light|art by artgerm and alphonse mucha|sharp focus|smooth|cinematic lighting|"
    "concept art|matte painting|35mm film grain|unreal engine 5|golden hour|dramatic clouds|"
    "soft pastel colours|award winning photography|symmetrical|rule of thirds|bokeh"
)
Way = Callable[[list[str]], FloatArray]


def written(count: int, seed: int) -> list[str]:
    """Prompts as people write them: a subject and a geometric number of details."""
    rng = Random(seed)
    subjects, details = SUBJECTS.split("|"), DETAILS.split("|")
    return [
        ", ".join(
            [rng.choice(subjects), *rng.choices(details, k=min(13, int(rng.expovariate(0.2))))]
        )
        for _ in range(count)
    ]


def painted(count: int, seed: int) -> list[str]:
    """Prompts of the painter's world."""
    from unprompt_painter.world import World

    world = World(seed)
    return [world.prompt(i) for i in range(count)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    exact = MiniLM(MiniLMOptions(), Runtime())
    ways: dict[str, Way] = {
        "the library's defaults": lambda texts: exact._model.encode(texts),
        "unprompt, float32": exact.encode,
    }
    if fast := exact.fast():
        ways["unprompt, bfloat16"] = fast.encode
    for way in ways.values():
        way(painted(8, 0))  # loads, and checks that the model can be packed
    for name, make in {"painter": painted, "as people write": written}.items():
        texts = make(arguments.texts, 7)
        lengths = [exact.count_tokens(text) for text in texts]
        print(
            f"{name}: {len(texts)} prompts, {len(set(texts))} distinct, {arguments.threads} threads"
        )
        print(f"  tokens: {min(lengths)} to {max(lengths)}, mean {np.mean(lengths):.1f}")
        compare(ways, texts, arguments.rounds)


def compare(ways: dict[str, Way], texts: list[str], rounds: int) -> None:
    """Print each way's speed, its ratio to the first way's, and its cosines with it."""
    clock: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    rows: dict[str, FloatArray] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            started, used = time.perf_counter(), time.process_time()
            rows[name] = way(texts)
            clock[name].append(time.perf_counter() - started)
            processor[name].append(time.process_time() - used)
    first = next(iter(ways))
    for name in ways:
        ratio = median(a / b for a, b in zip(clock[first], clock[name], strict=True))
        work = median(a / b for a, b in zip(processor[first], processor[name], strict=True))
        cosines = np.einsum("nd,nd->n", unit(rows[name]), unit(rows[first]))
        print(
            f"  {name:24} {len(texts) / median(clock[name]):6.0f} prompts/s, {ratio:.2f}x; "
            f"{len(texts) / median(processor[name]):6.0f} per processor second, {work:.2f}x; "
            f"cosine {cosines.min():.6f} at least, {cosines.mean():.6f} on average"
        )


if __name__ == "__main__":
    main()
