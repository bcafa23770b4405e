"""The contract of datasets as tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import pytest

from unprompt.contracts import Dataset, Record

SPLITS = ("train", "holdout", "test")


class DatasetContract:
    """Checks for every dataset; subclass it and give the fixture ``make_dataset``.

    Every image is opened, so the dataset under test should be small.
    """

    @pytest.fixture(scope="class")
    @classmethod
    def make_dataset(cls) -> Callable[[], Dataset]:
        """A function that makes a new instance of the dataset, with the same options each time."""
        pytest.skip("subclass DatasetContract and give the fixture `make_dataset`")

    def test_records_are_a_tuple_of_records(self, make_dataset: Callable[[], Dataset]) -> None:
        records = make_dataset().records()
        assert isinstance(records, tuple), "records cannot be changed by callers"
        assert records, "there is at least one record"
        assert all(isinstance(record, Record) for record in records)

    def test_records_never_change(self, make_dataset: Callable[[], Dataset]) -> None:
        dataset = make_dataset()
        records = dataset.records()
        assert dataset.records() == records, "a second call gives the same records"
        assert make_dataset().records() == records, "a new instance gives the same records"

    def test_image_ids_are_distinct(self, make_dataset: Callable[[], Dataset]) -> None:
        ids = [record.image_id for record in make_dataset().records()]
        assert all(isinstance(image_id, str) and image_id for image_id in ids)
        assert len(set(ids)) == len(ids)

    def test_every_record_has_a_prompt(self, make_dataset: Callable[[], Dataset]) -> None:
        for record in make_dataset().records():
            assert record.prompt.strip(), record.image_id
            assert record.prompt_id, record.image_id

    def test_a_prompt_id_means_one_prompt(self, make_dataset: Callable[[], Dataset]) -> None:
        prompts: dict[str, str] = {}
        for record in make_dataset().records():
            prompt = prompts.setdefault(record.prompt_id, record.prompt)
            assert record.prompt == prompt, f"two prompts have the id {record.prompt_id}"

    def test_splits_are_known_and_complete(self, make_dataset: Callable[[], Dataset]) -> None:
        splits = {record.split for record in make_dataset().records()}
        assert splits == {None} or splits <= {*SPLITS}, f"all of {SPLITS}, or None for all images"

    def test_groups_are_complete_and_in_one_split(
        self, make_dataset: Callable[[], Dataset]
    ) -> None:
        splits: defaultdict[str | None, set[str | None]] = defaultdict(set)
        for record in make_dataset().records():
            splits[record.group].add(record.split)
        assert None not in splits or len(splits) == 1, "all images have a group, or none has"
        for group, names in splits.items():
            assert group is None or len(names) == 1, f"group {group} is in the splits {names}"

    def test_images_are_those_of_the_records(self, make_dataset: Callable[[], Dataset]) -> None:
        dataset = make_dataset()
        ids = [record.image_id for record in dataset.records()]
        assert sorted(dataset.images().ids) == sorted(ids)

    def test_blocks_of_storage_hold_every_image(self, make_dataset: Callable[[], Dataset]) -> None:
        images = make_dataset().images()
        blocks = images.blocks()
        if blocks is not None:  # any order is as good
            assert sum(blocks) == len(images)
            assert min(blocks) > 0

    def test_every_image_opens_as_rgb(self, make_dataset: Callable[[], Dataset]) -> None:
        images = make_dataset().images()
        for image_id in images.ids:
            image = images.open(image_id)
            assert image.mode == "RGB", image_id
            assert image.width > 0, image_id
            assert image.height > 0, image_id

    def test_images_never_change(self, make_dataset: Callable[[], Dataset]) -> None:
        images, others = make_dataset().images(), make_dataset().images()
        for image_id in images.ids:
            image = images.open(image_id)
            for again in (images.open(image_id), others.open(image_id)):
                assert again.size == image.size, image_id
                assert again.tobytes() == image.tobytes(), image_id

    def test_digests_never_change(self, make_dataset: Callable[[], Dataset]) -> None:
        images, others = make_dataset().images(), make_dataset().images()
        for image_id in images.ids:
            digest = images.digest(image_id)
            assert isinstance(digest, str), image_id
            assert digest, image_id
            assert images.digest(image_id) == digest, image_id
            assert others.digest(image_id) == digest, image_id

    def test_different_images_have_different_digests(
        self, make_dataset: Callable[[], Dataset]
    ) -> None:
        images = make_dataset().images()
        pixels: dict[str, tuple[str, tuple[int, int], bytes]] = {}
        for image_id in images.ids:
            image = images.open(image_id)
            first, *content = pixels.setdefault(
                images.digest(image_id), (image_id, image.size, image.tobytes())
            )
            assert content == [image.size, image.tobytes()], f"{first} and {image_id}"

    def test_wordings_are_as_many_prompts_as_asked(
        self, make_dataset: Callable[[], Dataset]
    ) -> None:
        dataset = make_dataset()
        ids = [record.image_id for record in dataset.records()][-3:]
        for count in (2, 5):
            wordings = dataset.wordings(ids, count)
            if wordings is None:
                continue  # the dataset does not know other prompts
            assert set(wordings) == set(ids), "prompts for exactly these images"
            for image_id, prompts in wordings.items():
                assert len(prompts) == count, image_id
                assert all(isinstance(prompt, str) and prompt.strip() for prompt in prompts)

    def test_wordings_never_change(self, make_dataset: Callable[[], Dataset]) -> None:
        dataset = make_dataset()
        ids = [record.image_id for record in dataset.records()][:3]
        wordings = _lists(dataset.wordings(ids, 4))
        assert _lists(dataset.wordings(ids, 4)) == wordings, "a second call gives the same prompts"
        assert _lists(make_dataset().wordings(ids, 4)) == wordings, "and so does a new instance"


def _lists(wordings: Mapping[str, Sequence[str]] | None) -> dict[str, list[str]] | None:
    """Wordings that can be compared, whatever kind of sequence the dataset gives."""
    return None if wordings is None else {name: list(texts) for name, texts in wordings.items()}
