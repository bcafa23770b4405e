"""The hooks and options of `kaggle` and `pairs`, which import nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import ValidationError

from unprompt._builtin import kaggle, pairs
from unprompt.contracts import Dataset


@pytest.mark.parametrize(
    ("module", "options"), [(kaggle, {"folder": "x"}), (pairs, {"table": "x", "images": "y"})]
)
def test_hook_and_options(module: ModuleType, options: dict[str, str], tmp_path: Path) -> None:
    spec = module.unprompt_dataset()
    assert spec.name == module.__name__.rpartition(".")[2]
    package, _, name = spec.target.partition(":")
    assert issubclass(getattr(sys.modules[package], name), Dataset)
    made = spec.options.model_validate(options, context={"folder": tmp_path})
    assert {key: str(tmp_path / value) for key, value in options.items()} == made.model_dump()
    assert all(field.description for field in spec.options.model_fields.values())
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        spec.options.model_validate({**options, "colour": "red"})


def test_listing_the_readers_imports_nothing_heavy() -> None:
    code = (
        "import sys, unprompt._builtin.kaggle, unprompt._builtin.pairs, unprompt._data.predictions;"
        "print([name for name in ('PIL', 'pyarrow', 'torch') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (result.stdout.strip(), result.stderr) == ("[]", "")
