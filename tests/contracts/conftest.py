"""What the tests of the contracts use: the checks that an implementation does not pass."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

FailingChecks = Callable[..., set[str]]


@pytest.fixture
def failing_checks(tmp_path: Path) -> FailingChecks:
    """``failing_checks(contract, **fixtures)``: the names of the contract's checks that fail."""

    def run(contract: type, **fixtures: object) -> set[str]:
        fixtures |= {"tmp_path": tmp_path}
        failing = set()
        for name, check in inspect.getmembers(contract(), inspect.ismethod):
            if name.startswith("test_"):
                arguments = {key: fixtures[key] for key in inspect.signature(check).parameters}
                try:
                    check(**arguments)
                except Exception:  # noqa: BLE001  # a broken implementation may raise anything
                    failing.add(name)
        return failing

    return run


@pytest.fixture
def checks() -> Callable[[type], set[str]]:
    """``checks(contract)``: the names of all checks of a contract."""
    return lambda contract: {name for name in dir(contract) if name.startswith("test_")}
