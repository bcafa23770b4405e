"""What plugins are handed, what they return, and how long they take."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt import (
    Batch,
    Embeddings,
    Evidence,
    Images,
    PluginError,
    Predictor,
    RunView,
    TextEncoder,
    TrainSet,
)
from unprompt._registry import slow
from unprompt._registry.boundary import Guarded, calling, loading
from unprompt._registry.check import check_plugins
from unprompt._registry.claims import Claim
from unprompt._registry.plugins import Registry
from unprompt._registry.tracebacks import failures, traceback_of
from unprompt.testing import HashedWords, MemoryImages

CLAIM = Claim("grey", "grey_plugin", "unprompt-grey", "2.5")
OWNER = "plugin 'grey' (from unprompt-grey 2.5)"
IMAGES = Images(("a", "b"), MemoryImages({}))


class Family(Predictor):
    """Gives what a test says."""

    def __init__(self, batches: Callable[[], Any]) -> None:
        self.batches = batches
        self.given: list[Any] = []

    def prepare(self, train: TrainSet, artifact: Path) -> None:
        self.given.append(train)

    def load(self, artifact: Path) -> None: ...

    def predict(self, images: Images) -> Iterator[Batch]:
        result: Iterator[Batch] = self.batches()
        return result


def guarded(batches: Callable[[], Any]) -> Any:
    return Guarded(Family(batches), CLAIM)


def rows(*ids: str) -> Embeddings:
    return Embeddings(ids, np.eye(len(ids), 4, dtype=np.float32))


def test_values_of_numpy_become_pythons() -> None:
    evidence = (Evidence(np.str_("a text"), np.float32(0.5), np.str_("phrase")),)  # type: ignore[arg-type]  # as plugins do
    given = Batch(rows(np.str_("a")), [np.str_("p")], [list(evidence)])  # type: ignore[arg-type]  # likewise
    [batch] = guarded(lambda: [given]).predict(IMAGES)
    assert batch.prompts == ("p",)
    assert batch.evidence == ((Evidence("a text", 0.5, "phrase"),),)
    [piece] = batch.evidence[0]
    assert [type(batch.prompts[0]), type(batch.embeddings.ids[0])] == [str, str]
    assert [type(piece.text), type(piece.score), type(piece.kind)] == [str, float, str]


def test_a_family_may_fill_the_same_array_for_each_batch() -> None:
    def batches() -> Iterator[Batch]:
        array = np.zeros((1, 4), np.float32)
        for i, name in enumerate("ab"):
            array[:] = np.eye(1, 4, i)
            yield Batch(Embeddings((name,), array), (None,), ((),))

    given = [batch.embeddings.rows.tolist() for batch in guarded(batches).predict(IMAGES)]
    assert given == [[[1, 0, 0, 0]], [[0, 1, 0, 0]]]


def test_rows_that_a_member_learns_from_are_its_own_and_cannot_be_changed() -> None:
    train = TrainSet((), IMAGES, rows("a", "b"), HashedWords())
    family: Any = Family(lambda: ())
    Guarded(family, CLAIM).prepare(train, Path())
    [given] = family.given
    assert given.targets.rows.tolist() == train.targets.rows.tolist()
    assert not given.targets.rows.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        given.targets.rows[:] = 0
    given.targets.rows.flags.writeable = True  # it owns them: whoever insists changes a copy
    given.targets.rows[:] = 0
    assert train.targets.rows.any()


class Changing:
    """Changes what it is handed."""

    def hear(self, run: RunView, scores: dict[str, Any], names: list[str]) -> None:
        run.experiment["data"]["plugin"] = "another"
        scores["test"]["score"] = 1.0
        names.clear()


def test_what_observers_are_handed_are_copies() -> None:
    run = RunView("demo", Path("x"), {"data": {"plugin": "painter"}})
    scores, names = {"test": {"score": 0.5}}, ["a"]
    guard: Any = Guarded(Changing(), CLAIM)
    guard.hear(run, scores, names=names)
    assert run.experiment == {"data": {"plugin": "painter"}}
    assert (scores, names) == ({"test": {"score": 0.5}}, ["a"])


class Encoder(TextEncoder):
    """Sorts its texts in place, as code does that forgets whose list it is."""

    identity = "sorted"
    dim = 32

    def encode(self, texts: Any) -> Any:
        texts.sort()
        return HashedWords().encode(texts)


def test_an_encoder_that_changes_its_list_changes_a_copy() -> None:
    texts = ["b", "a"]
    Guarded(Encoder(), CLAIM).encode(texts)
    assert texts == ["b", "a"]


# Errors


def test_the_traceback_begins_with_the_plugins_frame() -> None:
    guard = guarded(lambda: 1 // 0)
    with pytest.raises(PluginError) as caught:
        guard.predict(IMAGES)
    [failure] = failures(caught.value)
    lines = traceback_of(failure).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith("in predict")
    assert Path(__file__).name in lines[1]
    assert lines[-1] == "ZeroDivisionError: integer division or modulo by zero"


class Unshowable(Exception):  # as a plugin may name it
    """Fails to say what it is."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


def test_an_exception_that_cannot_be_shown_has_a_traceback() -> None:
    with pytest.raises(PluginError) as caught, calling(CLAIM, "x"):
        raise Unshowable
    [failure] = failures(caught.value)
    assert "test_an_exception_that_cannot_be_shown" in traceback_of(failure)


def test_what_the_system_refuses_is_one_line() -> None:
    with pytest.raises(PluginError) as caught, calling(CLAIM, "Plugin.load"):
        open("/proc/version/x")  # noqa: SIM115  # it fails
    [failure] = failures(caught.value)  # no such folder: a bug
    assert "Plugin.load raised NotADirectoryError" in failure.problems[0]
    with pytest.raises(PluginError) as caught, calling(CLAIM, "Plugin.load"):
        raise PermissionError(13, "Permission denied", "/a/model.bin")
    assert caught.value.problems == (f"{OWNER}: Plugin.load: /a/model.bin: permission denied",)
    assert not list(failures(caught.value))


def test_a_missing_attribute_is_no_failure_and_one_of_a_property_is() -> None:
    class Odd:
        @property
        def path(self) -> str:
            return self.nothing  # type: ignore[attr-defined,no-any-return]  # it is about that

    guard: Any = Guarded(Odd(), CLAIM)
    assert getattr(guard, "close", None) is None
    with pytest.raises(PluginError, match=r"Odd\.path raised AttributeError"):
        _ = guard.path


def test_os_exit_in_a_call_is_an_error_and_a_fork_ends_with_it() -> None:
    line = r"x ended the program: SystemExit: os\._exit\(0\)"
    with pytest.raises(PluginError, match=line), calling(CLAIM, "x"):
        os._exit(0)
    program = (
        "import os\nfrom unprompt._registry.boundary import calling\n"
        "from unprompt._registry.claims import Claim\n"
        "with calling(Claim('a', 'b', 'c', '1'), 'x'):\n"
        "    child = os.fork()\n"
        "    if not child: os._exit(7)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "os._exit(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "7\n")


# Time


class Waiting(io.StringIO):
    """A stream that says when something was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        count = super().write(text)
        self.written.set()
        return count


@pytest.mark.parametrize("call", ["import", "unprompt_run_started"])
def test_a_slow_call_is_named_while_it_runs(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Waiting()
    monkeypatch.setattr(slow, "PATIENCE", 0.01)
    monkeypatch.setattr(sys, "stderr", stream)
    with loading(CLAIM, " failed to load: ", call=call):
        assert stream.written.wait(60)
    assert stream.getvalue() == f"{OWNER}: {call} has taken 0.01 s so far\n"


def test_check_ends_a_plugin_that_hangs_and_goes_on_with_the_next(
    install_plugin: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    points = {"early": "hang_plugin", "late": "late_plugin"}
    folder = install_plugin("hang", "import time\ntime.sleep(600)\n", entry_points=points)
    (folder / "late_plugin.py").write_text(
        "from unprompt import hookimpl\n@hookimpl\ndef unprompt_run_started(run): ...\n"
    )
    registry = Registry()
    registry.claims = tuple(c for c in registry.claims if c.distribution == "unprompt-hang")
    early, late = check_plugins(registry, 0.2)
    assert early.error == (
        "plugin 'early' (from unprompt-hang 1.0) took more than 0.2 s, and was ended, "
        "while it was loaded"
    )
    assert (late.offers, late.error) == (("observer",), None)
    assert "hang_plugin.py" in capsys.readouterr().err, "it shows where it hangs"
