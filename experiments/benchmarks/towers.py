"""How much of a member's time is its tower's: ``predict`` against a bare loop.

Builds the towers of an ensemble at full architecture with random parameters, one member after the
other, and runs the same images through the member's ``predict`` (opening, preprocessing, views,
head or bank, evidence) and through a bare loop over the same tower on pixels that are ready
before the clock starts. Both in turns, so that a noisy machine disturbs both alike; a ratio near 1
means that everything but the tower is hidden or free.

    python experiments/benchmarks/towers.py [ENSEMBLE] [--members NAME...] [--images N]
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from unprompt import Images, Predictor, Record, Runtime, TextEncoder, TrainSet
from unprompt._members.dry_run import noise
from unprompt._registry.loading import load_ensemble
from unprompt._registry.parts import Member
from unprompt._registry.plugins import Registry
from unprompt.embeddings import Embeddings
from unprompt.towers import averaged, pixel_batches
from unprompt.towers.precision import resolve_precision

DEFAULT = Path(__file__).parents[2] / "ensembles" / "kaggle-68th.yaml"


def main() -> None:
    """Compare each member and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("ensemble", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--members", nargs="*", help="only these")
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="auto")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    registry = Registry()
    ensemble = load_ensemble(arguments.ensemble, registry)
    precision = resolve_precision(arguments.precision, "cpu")
    runtime = Runtime(
        precision=precision, batch_size=arguments.batch_size, offline=True, dry_run=True
    )
    encoder: TextEncoder = registry.build(
        ensemble.text_encoder.spec, ensemble.text_encoder.options, runtime
    )
    runtime = replace(runtime, text_encoder=encoder)
    images = noise(arguments.images)
    print(f"{len(images)} images, batches of {arguments.batch_size}, {precision}")
    print(f"{'member':14} {'what':10} {'bare':>9} {'predict':>9}  ratio (median of each)")
    for member in ensemble.members:
        if not arguments.members or member.name in arguments.members:
            compare(member, images, runtime, registry, arguments.rounds)


def compare(
    member: Member, images: Images, runtime: Runtime, registry: Registry, rounds: int
) -> None:
    """Time one member both ways and print its lines."""
    predictor: Predictor = registry.build(member.part.spec, member.part.options, runtime)
    with TemporaryDirectory() as folder:
        artifact = Path(folder)
        predictor.prepare(_train_set(images, runtime), artifact)
        predictor.load(artifact)
        for what, bare, full in _pairs(predictor, images, runtime):
            bare(), full()  # the first calls pay for kernels and buffers
            times = [(_seconds(bare), _seconds(full)) for _ in range(rounds)]
            alone, whole = (statistics.median(column) for column in zip(*times, strict=True))
            each = [f"{seconds / len(images):7.3f} s" for seconds in (alone, whole)]
            print(f"{member.name:14} {what:10} {each[0]} {each[1]}  {whole / alone:.3f}")
    predictor.close()


def _pairs(
    predictor: Predictor, images: Images, runtime: Runtime
) -> list[tuple[str, Callable[[], object], Callable[[], object]]]:
    """What to time, a bare loop and the same through the family."""
    from unprompt_blip.captioner import Captioner
    from unprompt_blip.interrogator import Interrogator
    from unprompt_clip.regressor import Regressor
    from unprompt_knn.knn import Knn

    options = predictor.options

    def pixels(preprocess: Callable) -> list:  # type: ignore[type-arg]  # a benchmark's own
        return [batch for _, batch in pixel_batches(images, preprocess, runtime, what="")]

    if isinstance(predictor, Regressor):
        tower = predictor.tower
        ready = pixels(tower.preprocess)

        def bare() -> object:
            return [averaged(tower.features, batch, options.views) for batch in ready]

        return [("tower", bare, lambda: list(predictor.predict(images)))]
    assert isinstance(predictor, Knn | Interrogator)
    clip = predictor.clip
    ready = pixels(clip.preprocess)

    def rows() -> object:
        return [clip.images(batch, options.views) for batch in ready]

    if isinstance(predictor, Knn):
        return [("tower", rows, lambda: list(predictor.predict(images)))]
    captioner = Captioner(options.captioner, runtime)
    asked = pixels(captioner.pixels)
    return [
        (
            "captioner",
            lambda: [captioner.write({"pixel_values": batch}) for batch in asked],
            lambda: captioner.captions(images),
        ),
        ("tower", rows, lambda: list(predictor.interrogate(images, {}))),
    ]


def _train_set(images: Images, runtime: Runtime) -> TrainSet:
    encoder = runtime.text_encoder
    assert encoder is not None
    records = tuple(Record(name, name, f"image {name}") for name in images.ids)
    rows = encoder.encode([record.prompt for record in records])
    return TrainSet(records, images, Embeddings(images.ids, rows), encoder)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
