"""What a plugin's call changes in the process is undone, and is there again in its next call."""

from __future__ import annotations

import locale
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt import PluginError
from unprompt._registry.boundary import Guarded, calling
from unprompt._registry.claims import Claim
from unprompt._registry.state import KeptState

CLAIM = Claim("grey", "grey_plugin", "unprompt-grey", "2.5")
OTHER = Claim("other", "other_plugin", "unprompt-other", "1.0")


def _torch() -> Any:
    """Imported late: collecting tests should be quick."""
    import torch

    return torch


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """A claim's own state does not outlive a test."""
    from unprompt._registry import state

    state._own.clear()
    with np.errstate():
        yield
    state._own.clear()


STATES: dict[str, tuple[Callable[[], object], Callable[[], Any]]] = {
    "working directory": (lambda: os.chdir("/"), os.getcwd),
    "NumPy errors": (lambda: np.seterr(all="raise"), np.geterr),
    "random": (lambda: random.seed(1), lambda: random.getstate()),
    "a draw of random": (random.random, lambda: random.getstate()),
    "NumPy random": (lambda: np.random.seed(1), lambda: str(np.random.get_state())),
    "a draw of NumPy": (np.random.rand, lambda: str(np.random.get_state())),
    "half a pair of normal numbers": (
        np.random.randn,
        lambda: np.random.get_state(legacy=False)["has_gauss"],
    ),
    "another bit generator": (
        lambda: np.random.set_state(np.random.RandomState(5).get_state()),
        lambda: str(np.random.get_state()),
    ),
    "dtype": (
        lambda: _torch().set_default_dtype(_torch().float64),
        lambda: _torch().get_default_dtype(),
    ),
    "gradients": (lambda: _torch().set_grad_enabled(False), lambda: _torch().is_grad_enabled()),
    "torch random": (lambda: _torch().manual_seed(7), lambda: _torch().get_rng_state().tolist()),
    "a draw of torch": (lambda: _torch().rand(3), lambda: _torch().get_rng_state().tolist()),
    "deterministic": (
        lambda: _torch().use_deterministic_algorithms(True),
        lambda: _torch().are_deterministic_algorithms_enabled(),
    ),
    "threads": (
        lambda: _torch().set_num_threads(_torch().get_num_threads() + 1),
        lambda: _torch().get_num_threads(),
    ),
    "device": (lambda: _torch().set_default_device("meta"), lambda: _torch().get_default_device()),
    "locale": (
        lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8"),
        lambda: locale.setlocale(locale.LC_ALL),
    ),
}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
def test_a_call_leaves_the_state_as_it_was(name: str, fails: bool) -> None:
    change, read = STATES[name]
    before = read()
    try:
        with calling(CLAIM, "x"):
            change()
            inside = read()
            if fails:
                raise ValueError
    except PluginError:
        assert fails
    assert read() == before
    assert inside != before


@pytest.mark.parametrize("name", [name for name in STATES if name != "working directory"])
def test_the_next_call_of_the_same_plugin_goes_on_where_it_was(name: str) -> None:
    change, read = STATES[name]
    before = read()
    with KeptState(CLAIM):
        change()
        inside = read()
    with KeptState(OTHER):
        assert read() == before
    with KeptState(CLAIM):
        assert read() == inside
    assert read() == before


def test_a_call_inside_a_call_restores_the_outer_one() -> None:
    with KeptState(CLAIM):
        np.seterr(all="raise")
        with KeptState(OTHER):
            assert np.geterr()["over"] == "raise"
            np.seterr(all="ignore")
        assert np.geterr()["over"] == "raise"


class Generator:
    """A family whose generator is suspended inside a context."""

    def rows(self) -> Iterator[tuple[bool, float]]:
        np.random.seed(0)
        with _torch().no_grad(), np.errstate(all="ignore"):
            for _ in range(3):
                yield _torch().is_grad_enabled(), np.random.rand()


def test_a_generator_is_resumed_in_its_own_state() -> None:
    guarded: Any = Guarded(Generator(), CLAIM)
    expected = np.random.RandomState(0).rand(3).tolist()
    errors, state, drawn = np.geterr(), random.getstate(), []
    for gradients, number in guarded.rows():
        assert _torch().is_grad_enabled(), "not outside of the generator"
        assert not gradients
        assert np.geterr() == errors
        drawn.append(number)
    assert drawn == expected
    assert random.getstate() == state


def test_other_threads_restore_nothing() -> None:
    before = np.random.get_state()
    entered, left = threading.Event(), threading.Event()

    def work() -> None:
        with calling(CLAIM, "x"):
            entered.set()
            assert left.wait(30)

    thread = threading.Thread(target=work)
    thread.start()
    assert entered.wait(30)
    np.random.seed(11)
    drawn = np.random.get_state(legacy=False)["state"]["key"]
    left.set()
    thread.join()
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], drawn)
    np.random.set_state(before)


def test_torch_is_not_imported_for_it_and_its_first_import_is_covered(tmp_path: Path) -> None:
    program = f"""
import sys
from unprompt._registry.boundary import calling
from unprompt._registry.claims import Claim
claim = Claim("grey", "grey_plugin", "unprompt-grey", "2.5")
with calling(claim, "x"):
    pass
assert "torch" not in sys.modules
with calling(claim, "x"):
    import torch
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(3)
    first = torch.initial_seed()
assert torch.get_default_dtype() == torch.float32
assert torch.equal(torch.get_rng_state(), torch.Generator().get_state())
with calling(claim, "x"):
    print(torch.get_default_dtype(), torch.rand(1).item() == torch.rand(1).item())
open({str(tmp_path / "done")!r}, "w").close()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (tmp_path / "done").exists(), done.stderr
    assert done.stderr == "torch.float64 False\n"
