"""Files of two public projects, which are not part of this one: see their README.md."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from unprompt_metadata.dialects import read_prompt
from unprompt_metadata.files import read_texts
from unprompt_metadata.prompts import ReadPrompt

BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "metadata-samples"
SAMPLES = Path(os.environ.get("UNPROMPT_METADATA_SAMPLES", BESIDE))
LIST = SAMPLES / "expected.json"

pytestmark = pytest.mark.skipif(
    not LIST.is_file(), reason=f"no samples: set UNPROMPT_METADATA_SAMPLES, or put them in {BESIDE}"
)


def expected() -> dict[str, Any]:
    entries: dict[str, Any] = json.loads(LIST.read_text(encoding="utf-8")) if LIST.is_file() else {}
    return entries


@pytest.mark.parametrize("name", expected())
def test_each_gives_exactly_its_prompt_or_abstains(name: str) -> None:
    wanted = expected()[name]
    answer = read_prompt(read_texts(SAMPLES / name))
    if wanted["status"] != "success":
        assert not isinstance(answer, ReadPrompt)
        return
    assert isinstance(answer, ReadPrompt), answer
    assert answer.prompt == wanted["prompt"]
    assert list(answer.characters) == wanted["characters"]
