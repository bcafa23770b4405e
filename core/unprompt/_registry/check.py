"""Load every plugin and say what it offers, plugins of others in processes of their own.

Code that crashes its process, ends it without Python, or never comes back cannot be caught in
that process. So each distribution is loaded in a child; where that ends too early, or makes no
progress, the plugin is named and another child goes on with the next one. In all other commands,
which need the plugins themselves, such code ends the command, with whichever exit code it gives.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unprompt._registry.boundary import OWN
from unprompt._registry.claims import Claim
from unprompt._registry.plugins import Registry
from unprompt._registry.tracebacks import print_failures

_GRACE = 5.0
"""More seconds, for the child to print where it hangs."""
_AT_ONCE = 4
"""The most children: each imports what its plugins import."""

_CHILD = """\
import json, logging, sys
with open(sys.argv[1], encoding="utf-8") as file:
    request = json.load(file)
sys.path[:] = request["path"]
logging.disable(logging.WARNING)  # of broken metadata: the parent gave it
import unprompt._config
logging.disable(logging.NOTSET)
from unprompt._registry.check import answer
answer(request)
"""


@dataclass(frozen=True, slots=True)
class Status:
    """What ``unprompt plugins --check`` learned about one claim.

    Attributes:
        claim: The entry point.
        offers: The kinds of specs that it offers, and ``observer`` for lifecycle hooks.
        summary: The first spec's summary.
        error: Everything that is wrong with it; None: nothing.
    """

    claim: Claim
    offers: tuple[str, ...] = ()
    summary: str = ""
    error: str | None = None


def check_plugins(registry: Registry, patience: float) -> list[Status]:
    """Load every plugin and every target, heavy imports included; failures are rows.

    What plugins print, and the tracebacks of those that fail, go to stderr.

    Args:
        registry: The plugins.
        patience: Seconds that loading one plugin may take.

    Returns:
        One status per claim, sorted by name.
    """
    apart: dict[str, list[Claim]] = {}
    statuses: dict[Claim, Status] = {}
    for claim in registry.claims:
        if claim.distribution == OWN:
            statuses[claim] = _status(registry, claim)
        else:
            apart.setdefault(claim.owner, []).append(claim)
    stop = threading.Event()
    with ThreadPoolExecutor(min(_AT_ONCE, os.cpu_count() or 1)) as pool:
        try:
            loaded = pool.map(lambda claims: _Apart(claims, patience, stop).load(), apart.values())
            for part, printed in loaded:
                if sys.stderr is not None:
                    sys.stderr.write(printed)
                statuses |= {status.claim: status for status in part}
        except BaseException:  # such as Ctrl-C, which the children do not get
            stop.set()
            raise
    return [statuses[claim] for claim in registry.claims]


def _status(registry: Registry, claim: Claim) -> Status:
    result = registry.verified(claim)
    print_failures(result.cause)
    return Status(claim, result.offers, result.summary, result.error)


class _Apart:
    """Claims of one distribution, loaded in as many children as it takes."""

    def __init__(self, claims: Sequence[Claim], patience: float, stop: threading.Event) -> None:
        self._rest, self._patience, self._stop = list(claims), patience, stop
        self._printed: list[str] = []

    def load(self) -> tuple[list[Status], str]:
        """The status of each claim, and what the children printed."""
        statuses: list[Status] = []
        while self._rest and not self._stop.is_set():
            new, ending = self._ask_child()
            statuses += new
            self._rest = self._rest[len(new) :]
            if self._rest:
                ended = self._rest.pop(0)
                what = f"{ended.label} {ending} while it was loaded"
                statuses.append(Status(ended, error=what))
        return statuses, "".join(self._printed)

    def _ask_child(self) -> tuple[list[Status], str]:
        """Load the rest in a child.

        Returns:
            The statuses of the first claims, until the child ended, and how it ended.
        """
        with tempfile.TemporaryDirectory(prefix="unprompt-") as name:
            folder = Path(name)
            results, printed = folder / "results.jsonl", folder / "printed.txt"
            results.touch()
            request = {
                "path": sys.path,
                "claims": [asdict(claim) for claim in self._rest],
                "results": str(results),
                "patience": self._patience,
            }
            (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
            with printed.open("wb") as output:
                child = subprocess.Popen(
                    [sys.executable, "-c", _CHILD, str(folder / "request.json")],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # to end what it has started, too
                )
                ending = self._waited(child, results)
            self._printed.append(printed.read_text(encoding="utf-8", errors="replace"))
            rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
        statuses = [
            Status(claim, tuple(row["offers"]), row["summary"], row["error"])
            for claim, row in zip(self._rest, rows, strict=False)  # fewer rows where it ended
        ]
        return statuses, ending

    def _waited(self, child: subprocess.Popen[bytes], results: Path) -> str:
        """Wait for the end of a child, or end one that makes no progress."""
        size, deadline = 0, time.monotonic() + self._patience + _GRACE
        try:
            while child.poll() is None:
                if self._stop.is_set():
                    return "was interrupted"
                if (grown := results.stat().st_size) != size:
                    size, deadline = grown, time.monotonic() + self._patience + _GRACE
                if time.monotonic() > deadline:
                    return f"took more than {self._patience:g} s, and was ended,"
                with suppress(subprocess.TimeoutExpired):
                    child.wait(0.05)
        finally:
            if child.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        return f"ended the process {_ending(child.returncode)}"


def _ending(code: int) -> str:
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"


def answer(request: dict[str, Any]) -> None:
    """In the child: write a row for each claim, then end, whatever threads a plugin started."""
    registry = Registry()
    registry.claims = tuple(Claim(**claim) for claim in request["claims"])
    for claim in registry.claims:
        faulthandler.dump_traceback_later(request["patience"])  # shows where it hangs
        try:
            status = _status(registry, claim)
        except KeyboardInterrupt:  # Ctrl-C ends the parent
            status = Status(claim, error=f"{claim.label} failed to load: KeyboardInterrupt")
        faulthandler.cancel_dump_traceback_later()
        # Opened for each row: a plugin may close any descriptor.
        with open(str(request["results"]), "a", encoding="utf-8") as results:
            results.write(json.dumps(asdict(status)) + "\n")
    for stream in (sys.stdout, sys.stderr):
        if stream:  # a plugin may have taken it
            stream.flush()
    os._exit(0)
