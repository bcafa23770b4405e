"""Calls into plugins: failures have an owner, prints go to stderr."""

from __future__ import annotations

import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest

from unprompt import ConfigError, DataError, PluginError
from unprompt._registry.boundary import Guarded, calling, loading
from unprompt._registry.claims import Claim
from unprompt.errors import PluginFailure

CLAIM = Claim("grey", "grey_plugin", "unprompt-grey", "2.5")
OWNER = "plugin 'grey' (from unprompt-grey 2.5)"


class Odd(BaseException):
    """No Exception."""


class Plugin:
    """What a plugin might build."""

    size = 3

    @property
    def leaves(self) -> int:
        sys.exit("from a property")

    def call(self, error: BaseException | None) -> str:
        print("called")  # noqa: T201  # as plugins do
        if error:
            raise error
        return "result"

    def batches(self, error: BaseException) -> Iterator[int]:
        print("first")  # noqa: T201  # as plugins do
        yield 1
        print("second")  # noqa: T201  # as plugins do
        raise error


class Mute(Exception):  # it is about what it cannot say
    """Fails to say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    "error", [SystemExit("go away"), SystemExit(0), SystemExit(), Odd("x"), GeneratorExit()]
)
def test_ending_the_program_is_an_error_that_names_plugin_and_call(error: BaseException) -> None:
    with pytest.raises(PluginError) as caught, calling(CLAIM, "Plugin.predict"):
        raise error
    (line,) = caught.value.problems
    assert line.startswith(f"{OWNER}: Plugin.predict ended the program: {type(error).__name__}")
    assert caught.value.__cause__ is error


def test_an_exception_is_a_failure_that_names_plugin_and_call() -> None:
    with pytest.raises(PluginFailure) as caught, calling(CLAIM, "Plugin.predict"):
        _ = 1 // 0
    what = "ZeroDivisionError: integer division or modulo by zero"
    assert caught.value.problems == (f"{OWNER}: Plugin.predict raised {what}",)
    assert type(caught.value.__cause__) is ZeroDivisionError


@pytest.mark.parametrize("block", [calling, loading])
def test_ctrl_c_passes(block: Callable[[Claim, str], AbstractContextManager[None]]) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it
    try:
        with pytest.raises(KeyboardInterrupt), block(CLAIM, ": Plugin.predict"):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("block", [calling, loading])
def test_code_that_raises_what_looks_like_ctrl_c_has_an_owner(
    block: Callable[[Claim, str], AbstractContextManager[None]],
) -> None:
    with pytest.raises(PluginFailure, match="KeyboardInterrupt") as caught, block(CLAIM, ": x"):
        raise KeyboardInterrupt
    assert caught.value.problems[0].startswith(OWNER)


def test_a_users_mistake_stays_what_it_is_and_is_named_once() -> None:
    error = ConfigError(["a mistake", "another\x1b[1m\nin two lines"])
    outer = Claim("outer", "outer_plugin", "unprompt-outer", "1.0")
    with (
        pytest.raises(ConfigError) as caught,
        calling(outer, "Outer.predict"),
        calling(CLAIM, "Plugin.predict"),
    ):
        raise error
    assert caught.value is error
    lines = ("a mistake", r"another\x1b[1m in two lines")
    assert error.problems == tuple(f"{OWNER}: Plugin.predict: {line}" for line in lines)


class Unfinished(DataError):
    """Says nothing of what it is."""

    def __init__(self, image: str) -> None:
        self.image = image


def test_a_users_mistake_of_a_class_without_problems_is_named() -> None:
    with pytest.raises(Unfinished) as caught, calling(CLAIM, "Plugin.predict"):
        raise Unfinished("a.png")
    assert caught.value.problems == (f"{OWNER}: Plugin.predict: Unfinished",)
    assert str(caught.value) == caught.value.problems[0]


def test_what_comes_with_unprompt_names_files_and_no_plugin() -> None:
    own = Claim("kaggle", "unprompt._builtin.kaggle", "unprompt", "0.5")
    with pytest.raises(DataError) as caught, calling(own, "Kaggle.records"):
        raise DataError("prompts.csv: no such file")
    assert caught.value.problems == ("prompts.csv: no such file",)
    with (
        pytest.raises(
            PluginError, match=r"^plugin 'kaggle' \(from unprompt 0\.5\): Kaggle\.images: x$"
        ),
        calling(own, "Kaggle.images"),
    ):
        raise PluginError("x")


@pytest.mark.parametrize(
    "error", [SystemExit(0), ValueError("a\nb"), ConfigError("c"), Odd(), GeneratorExit()]
)
def test_whatever_fails_while_loading_is_one_line(error: BaseException) -> None:
    with pytest.raises(PluginError) as caught, loading(CLAIM, " failed to load: ", "; a hint"):
        raise error
    (line,) = caught.value.problems
    words = " ".join(str(error).split())
    assert line == f"{OWNER} failed to load: {type(error).__name__}: {words}; a hint"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Mute(), "Mute: (its text cannot be shown: RuntimeError)"),
        (ValueError("x" * 100_000), f"ValueError: {'x' * 300} ..."),
        (ValueError("a\x1b[31m\u202eb"), r"ValueError: a\x1b[31m\u202eb"),
    ],
    ids=["no text", "long", "not printable"],
)
def test_any_text_of_an_error_is_one_short_printable_line(error: Exception, words: str) -> None:
    with pytest.raises(PluginError) as caught, loading(CLAIM, ": "):
        raise error
    assert caught.value.problems == (f"{OWNER}: {words}",)


def test_what_is_built_is_guarded(capsys: pytest.CaptureFixture[str]) -> None:
    plugin: Any = Guarded(Plugin(), CLAIM)
    assert plugin.size == 3
    assert plugin.call(None) == "result"
    with pytest.raises(PluginError, match=r"Plugin\.call ended the program"):
        plugin.call(SystemExit(0))
    with pytest.raises(PluginError, match=r"Plugin\.leaves ended the program"):
        _ = plugin.leaves
    with pytest.raises(AttributeError):
        _ = plugin.nothing
    batches = plugin.batches(SystemExit(0))
    assert next(batches) == 1
    with pytest.raises(PluginError, match=r"Plugin\.batches ended the program"):
        next(batches)
    print("result")  # noqa: T201  # as plugins do
    out, err = capsys.readouterr()
    assert out == "result\n"
    assert err == "called\ncalled\nfirst\nsecond\n"


def test_a_caller_may_stop_early() -> None:
    batches = Guarded(Plugin(), CLAIM).batches(ValueError())
    assert next(batches) == 1
    batches.close()


def test_a_plugin_that_exits_when_a_caller_stops_early_is_named() -> None:
    def rows() -> Iterator[int]:
        try:
            yield 1
        finally:
            sys.exit(0)

    built: Any = Guarded(SimpleNamespace(rows=rows), CLAIM)
    items = built.rows()
    assert next(items) == 1
    with pytest.raises(PluginError, match=r"\.rows ended the program: SystemExit: 0"):
        items.close()


def test_calls_at_once_give_stdout_back(capsys: pytest.CaptureFixture[str]) -> None:
    started, ended = Barrier(2), Barrier(2)

    def work(first: bool) -> None:
        with calling(CLAIM, "work"):
            started.wait()
            if first:
                ended.wait()
        if not first:
            ended.wait()

    real = sys.stdout
    with ThreadPoolExecutor() as pool:
        list(pool.map(work, [True, False]))
    assert sys.stdout is real


def test_it_passes_for_what_it_stands_for_and_can_be_sent_to_workers() -> None:
    guarded = Guarded(Barrier(3), CLAIM)
    assert isinstance(guarded, Barrier)
    sent = pickle.loads(pickle.dumps(Guarded(SimpleNamespace(parties=3), CLAIM)))
    assert type(sent) is Guarded
    assert sent.parties == 3
