"""A subclass of a contract that does not give the fixture is skipped, not passed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from unprompt.testing import (
    DatasetContract,
    ObserverContract,
    PredictorContract,
    TextEncoderContract,
)

SUBCLASSES = """
from unprompt.testing import (
    DatasetContract, ObserverContract, PredictorContract, TextEncoderContract
)

class TestPredictor(PredictorContract): ...
class TestDataset(DatasetContract): ...
class TestTextEncoder(TextEncoderContract): ...
class TestObserver(ObserverContract): ...
"""


def test_every_check_is_skipped(tmp_path: Path, checks: Callable[[type], set[str]]) -> None:
    (tmp_path / "test_subclasses.py").write_text(SUBCLASSES)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    contracts = (PredictorContract, DatasetContract, TextEncoderContract, ObserverContract)
    count = sum(len(checks(contract)) for contract in contracts)
    assert done.stdout.splitlines()[-1].startswith(f"{count} skipped in "), done.stdout
