"""Each check of the contract of datasets fails on a dataset that breaks it, and on no other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from unprompt import Dataset, Images, Record
from unprompt.testing import DatasetContract, MemoryImages

COLOURS = ("red", "green", "blue", "black")


class Colours(Dataset):
    """Plain colours; a dataset that keeps the contract."""

    def records(self) -> tuple[Record, ...]:
        return tuple(
            Record(name, f"id-{name}", f"a {name} wall", f"group-{name}", "train")
            for name in COLOURS
        )

    def images(self) -> Images:
        images = {name: Image.new("RGB", (4, 3), name) for name in COLOURS}
        return Images(COLOURS, MemoryImages(images))

    def wordings(self, image_ids: Sequence[str], count: int) -> Mapping[str, Sequence[str]] | None:
        return {name: [f"a {name} wall {i}" for i in range(count)] for name in image_ids}


class RecordsInAList(Colours):
    def records(self) -> tuple[Record, ...]:
        return list(super().records())  # type: ignore[return-value]  # what the check is for


class RecordsInChangingOrder(Colours):
    calls = itertools.count()

    def records(self) -> tuple[Record, ...]:
        return super().records()[:: -1 if next(self.calls) % 2 else 1]


class RepeatedIds(Colours):
    def records(self) -> tuple[Record, ...]:
        return super().records() + super().records()[:1]

    def images(self) -> Images:
        return Images((*COLOURS, COLOURS[0]), super().images().source)


def changed(**values: Any) -> type[Colours]:
    """A dataset whose first record has other values."""

    class Changed(Colours):
        def records(self) -> tuple[Record, ...]:
            first, *rest = super().records()
            return (replace(first, **values), *rest)

    return Changed


class FewerImages(Colours):
    def images(self) -> Images:
        return super().images().select(COLOURS[1:])


class BlocksOfMore(Colours):
    def images(self) -> Images:
        class Source(MemoryImages):
            def blocks(self, image_ids: Sequence[str]) -> Sequence[int]:
                return [len(image_ids), 1]

        return Images(COLOURS, Source(dict.fromkeys(COLOURS, Image.new("RGB", (4, 3)))))


class GreyImages(Colours):
    def images(self) -> Images:
        class Source(MemoryImages):
            def open(self, image_id: str) -> Image.Image:
                return super().open(image_id).convert("L")

        return Images(COLOURS, Source(dict.fromkeys(COLOURS, Image.new("RGB", (4, 3)))))


class ChangingPixels(Colours):
    shades = itertools.count()

    def images(self) -> Images:
        shades = self.shades

        class Source(MemoryImages):
            def open(self, image_id: str) -> Image.Image:
                return Image.new("RGB", (4, 3), (next(shades) % 256, 0, 0))

            def digest(self, image_id: str) -> str:
                return image_id

        return Images(COLOURS, Source({}))


def digests(digest: Callable[[str], str]) -> type[Colours]:
    """A dataset with other digests."""

    class OtherDigests(Colours):
        def images(self) -> Images:
            class Source(MemoryImages):
                def digest(self, image_id: str) -> str:
                    return digest(image_id)

            images = super().images()
            return Images(COLOURS, Source({name: images.open(name) for name in COLOURS}))

    return OtherDigests


class FewerWordings(Colours):
    def wordings(self, image_ids: Sequence[str], count: int) -> Mapping[str, Sequence[str]] | None:
        return super().wordings(image_ids, count - 1)


class WordingsOfOtherImages(Colours):
    def wordings(self, image_ids: Sequence[str], count: int) -> Mapping[str, Sequence[str]] | None:
        return super().wordings(COLOURS, count)


class ChangingWordings(Colours):
    calls = itertools.count()

    def wordings(self, image_ids: Sequence[str], count: int) -> Mapping[str, Sequence[str]] | None:
        call = next(self.calls)
        return {name: [f"wall {call} {i}" for i in range(count)] for name in image_ids}


calls = itertools.count()
BROKEN: list[tuple[str, type[Dataset]]] = [
    ("test_records_are_a_tuple_of_records", RecordsInAList),
    ("test_records_never_change", RecordsInChangingOrder),
    ("test_image_ids_are_distinct", RepeatedIds),
    ("test_every_record_has_a_prompt", changed(prompt=" ")),
    ("test_every_record_has_a_prompt", changed(prompt_id="")),
    ("test_a_prompt_id_means_one_prompt", changed(prompt_id="id-blue")),
    ("test_splits_are_known_and_complete", changed(split="validation")),
    ("test_splits_are_known_and_complete", changed(split=None)),
    ("test_groups_are_complete_and_in_one_split", changed(group=None)),
    ("test_groups_are_complete_and_in_one_split", changed(group="group-blue", split="test")),
    ("test_images_are_those_of_the_records", FewerImages),
    ("test_blocks_of_storage_hold_every_image", BlocksOfMore),
    ("test_every_image_opens_as_rgb", GreyImages),
    ("test_images_never_change", ChangingPixels),
    ("test_digests_never_change", digests(lambda image_id: f"{image_id}-{next(calls)}")),
    ("test_different_images_have_different_digests", digests(lambda image_id: "same")),
    ("test_wordings_are_as_many_prompts_as_asked", FewerWordings),
    ("test_wordings_are_as_many_prompts_as_asked", WordingsOfOtherImages),
    ("test_wordings_never_change", ChangingWordings),
]


def test_a_right_dataset_passes_every_check(failing_checks: Callable[..., set[str]]) -> None:
    assert failing_checks(DatasetContract, make_dataset=Colours) == set()


@pytest.mark.parametrize(("check", "dataset"), BROKEN)
def test_a_broken_dataset_fails_the_check_for_it(
    failing_checks: Callable[..., set[str]], check: str, dataset: type[Dataset]
) -> None:
    assert failing_checks(DatasetContract, make_dataset=dataset) == {check}


def test_every_check_has_a_broken_dataset(checks: Callable[[type], set[str]]) -> None:
    assert {check for check, _ in BROKEN} == checks(DatasetContract)
