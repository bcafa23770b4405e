"""What of the process a plugin's call may change for itself, but not for others.

The working directory, NumPy's error state, the locale, the recursion limit, torch's defaults and
the global random states are after a call what they were before it. What a plugin sets, except the
working directory, is set again in its next call: a generator may be suspended inside
``torch.no_grad()``, and a family may seed in ``load`` what it draws in ``predict``.

Only the main thread keeps state. Images are opened in several threads at once, and most of these
states are those of the whole process: threads that each restore what they met would undo each
other's. What such a thread changes is restored at the end of the main thread's call for which it
works.
"""

from __future__ import annotations

import ctypes
import locale
import operator
import os
import random
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from types import ModuleType

    from unprompt._registry.claims import Claim


class _Setting(NamedTuple):
    """One state: how to read and write it, and how to compare it where ``==`` gives no bool."""

    read: Callable[[], Any]
    write: Callable[[Any], object]
    same: Callable[[Any, Any], bool] = operator.eq


class _NumpyRandom:
    """NumPy's global random state. Reading it takes 23 us, comparing its memory 1 us."""

    _BYTES = 4 * (624 + 1)
    """Of a Mersenne Twister: its words, and the position in them."""

    def __init__(self) -> None:
        self._memory = b""
        self._state: dict[str, Any] = {"has_gauss": 1}

    def read(self) -> dict[str, Any]:
        """The state; the same object as before where nothing was drawn since.

        A cached half of a pair of normal numbers is not in that memory, but none is cached without
        a draw, and while one is, the state is read.
        """
        memory = self._peek()
        if not memory or memory != self._memory or self._state["has_gauss"]:
            self._state = dict(np.random.get_state(legacy=False))
            words = self._state["state"].get("key")
            known = words is not None and memory.startswith(words.tobytes())
            self._memory = memory if known else b""
        return self._state

    @staticmethod
    def same(before: Any, after: Any) -> bool:
        """Whether two states, or parts of them, are equal."""
        if before is after:
            return True
        if isinstance(before, dict) and isinstance(after, dict):
            mine = _NumpyRandom.same
            return before.keys() == after.keys() and all(mine(before[k], after[k]) for k in before)
        return bool(np.array_equal(before, after))

    def _peek(self) -> bytes:
        """The memory of the bit generator; empty where it is of another kind than NumPy's own."""
        generator = np.random.mtrand.get_bit_generator()
        if not isinstance(generator, np.random.MT19937):
            return b""
        return ctypes.string_at(generator.ctypes.state_address, self._BYTES)


_numpy_random = _NumpyRandom()

_PLAIN = {
    "NumPy errors": _Setting(
        lambda: (np.geterr(), np.geterrcall()),
        lambda value: (np.seterr(**value[0]), np.seterrcall(value[1])),
    ),
    "locale": _Setting(
        lambda: locale.setlocale(locale.LC_ALL),
        lambda value: locale.setlocale(locale.LC_ALL, value),
    ),
    "recursion": _Setting(sys.getrecursionlimit, sys.setrecursionlimit),
    "random": _Setting(random.getstate, random.setstate),
    "NumPy random": _Setting(_numpy_random.read, np.random.set_state, _NumpyRandom.same),
}


def _of_torch(torch: ModuleType) -> dict[str, _Setting]:
    """Torch's states, without those of GPUs."""
    return {
        "dtype": _Setting(torch.get_default_dtype, torch.set_default_dtype),
        "gradients": _Setting(torch.is_grad_enabled, torch.set_grad_enabled),
        "deterministic": _Setting(
            torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms
        ),
        "threads": _Setting(torch.get_num_threads, torch.set_num_threads),
        "matrix precision": _Setting(
            torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
        ),
        # What get_default_device says, in a third of its time. None lets each call choose, which
        # is the processor, and costs the other calls nothing.
        "device": _Setting(
            lambda: torch.empty(0).device,
            lambda device: torch.set_default_device(None if device.type == "cpu" else device),
        ),
        "torch random": _Setting(torch.get_rng_state, torch.set_rng_state, torch.equal),
    }


def _of_gpus(torch: ModuleType) -> _Setting:
    """The random states of all GPUs."""
    return _Setting(
        lambda: [generator.get_state() for generator in torch.cuda.default_generators],
        torch.cuda.set_rng_state_all,
        lambda before, after: all(map(torch.equal, before, after)),
    )


def _fresh_torch(torch: ModuleType) -> dict[str, Any]:
    """What torch's states are when it has just been imported."""
    return {
        "dtype": torch.float32,
        "gradients": True,
        "deterministic": False,
        "matrix precision": "highest",
        "device": torch.device("cpu"),
        "torch random": torch.Generator().get_state(),
    }


_own: dict[Claim, dict[str, Any]] = {}
"""What each plugin has set for its own calls."""
_torch: dict[str, _Setting] = {}
_main = threading.main_thread().ident


class KeptState:
    """Lets a plugin's code run in its own state, and restores the state that it met.

    A context manager in two methods: the generator of ``contextlib`` would be a tenth of its time.
    """

    def __init__(self, claim: Claim) -> None:
        """Store the plugin whose code the block calls."""
        self._claim, self._settings = claim, dict[str, _Setting]()
        self._before: list[Any] = []
        self._folder: str | None = None

    def __enter__(self) -> None:
        """Remember the state, and set what the plugin has set before."""
        if threading.get_ident() != _main:
            return
        self._settings, self._folder = _settings(), _folder()
        self._before = [setting.read() for setting in self._settings.values()]
        for name, value in _own.get(self._claim, {}).items():
            if name in self._settings:
                self._settings[name].write(value)

    def __exit__(self, *_: object) -> None:
        """Restore the state, and keep what the plugin has set."""
        if not self._settings:
            return
        if self._folder is not None and _folder() != self._folder:
            with suppress(OSError):  # it may be gone
                os.chdir(self._folder)
        own = _own.get(self._claim, {})
        for (name, setting), before in zip(self._settings.items(), self._before, strict=True):
            self._restore(name, setting, before, own)
        if "dtype" not in self._settings and "dtype" in (now := _settings()):  # torch is new
            for name, fresh in _fresh_torch(sys.modules["torch"]).items():
                self._restore(name, now[name], fresh, own)

    def _restore(self, name: str, setting: _Setting, before: Any, own: dict[str, Any]) -> None:
        after = setting.read()
        if not setting.same(before, after):
            own[name] = after
            _own[self._claim] = own
            setting.write(before)
        elif own:
            own.pop(name, None)


def _settings() -> dict[str, _Setting]:
    """The states that there are now. Never imports torch, and waits until its import is done."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_default_device") or not hasattr(torch, "cuda"):
        return _PLAIN
    global _torch  # never changed in place: calls that are under way hold it
    if not _torch:
        _torch = _PLAIN | _of_torch(torch)
    if "GPU random" not in _torch and torch.cuda.is_initialized():
        _torch = _torch | {"GPU random": _of_gpus(torch)}
    return _torch


def _folder() -> str | None:
    """The working directory; None where it was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return None
