"""Captioners at full size with random parameters: no file is needed."""

from __future__ import annotations

import pytest

from unprompt.contracts import Runtime
from unprompt.errors import MissingFileError
from unprompt.testing import example_images
from unprompt_blip.captioner import Captioner
from unprompt_blip.sources import HubCaptioner

DRY_RUN = Runtime(offline=True, dry_run=True)


@pytest.mark.parametrize(("name", "millions"), [("blip-base", 224), ("blip-large", 446)])
def test_the_known_captioners_are_full_size(name: str, millions: int) -> None:
    # The published files hold 23 million more: the word embeddings, a second time.
    assert round(Captioner.parameters(HubCaptioner(model=name)) / 1e6) == millions


def test_identity_without_files_is_the_name() -> None:
    names = [HubCaptioner(model=name) for name in ("blip-base", "blip-large")]
    base, large = (Captioner.identity(config, DRY_RUN) for config in names)
    assert base != large


def test_an_unknown_architecture_is_a_file_to_fetch() -> None:
    config = HubCaptioner(model="nobody/no-such-captioner")
    with pytest.raises(
        MissingFileError, match=r"hf download nobody/no-such-captioner config\.json"
    ):
        Captioner(config, DRY_RUN)


@pytest.mark.slow
def test_blip_base_captions_with_random_parameters() -> None:
    config = HubCaptioner(model="blip-base", max_tokens=2)
    captions = Captioner(config, DRY_RUN).captions(example_images().select(("square",)))
    assert captions["square"] == "" or captions["square"].split()[0].isdigit()
