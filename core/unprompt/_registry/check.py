"""Load every plugin and say what it offers, plugins of others in processes of their own.

Code that ends its process with ``os._exit``, or crashes it, cannot be caught in that process. So
each distribution is loaded in a child; where that ends too early, the plugin is named and another
child goes on with the next one. In all other commands, which need the plugins themselves, such
code ends the command, with whichever exit code it gives.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from unprompt._registry.claims import Claim
from unprompt._registry.plugins import Registry
from unprompt.errors import PluginError

_OWN = "unprompt"
"""The distribution whose plugins need no child."""

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
        error: Why it cannot be used; None: everything loads.
    """

    claim: Claim
    offers: tuple[str, ...] = ()
    summary: str = ""
    error: str | None = None


def check_plugins(registry: Registry) -> list[Status]:
    """Load every plugin and every target, heavy imports included; failures are rows.

    Returns:
        One status per claim, sorted by name.
    """
    apart: dict[str, list[Claim]] = {}
    statuses: dict[Claim, Status] = {}
    for claim in registry.claims:
        if claim.distribution == _OWN:
            statuses[claim] = _status(registry, claim)
        else:
            apart.setdefault(claim.owner, []).append(claim)
    for claims in apart.values():
        statuses |= {status.claim: status for status in _loaded_apart(claims)}
    return [statuses[claim] for claim in registry.claims]


def _status(registry: Registry, claim: Claim) -> Status:
    try:
        offers, summary = registry.offers(claim)
    except PluginError as error:
        return Status(claim, error=str(error))
    return Status(claim, offers, summary)


def _loaded_apart(claims: Sequence[Claim]) -> Iterator[Status]:
    """The statuses of claims of one distribution, from as many children as it takes."""
    rest = list(claims)
    while rest:
        statuses, code = _ask_child(rest)
        yield from statuses
        rest = rest[len(statuses) :]
        if rest:
            ended = rest.pop(0)
            what = f"{ended.label} ended the process {_ending(code)} while it was loaded"
            yield Status(ended, error=what)


def _ending(code: int) -> str:
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"


def _ask_child(claims: Sequence[Claim]) -> tuple[list[Status], int]:
    """Load claims in a child; pass on to stderr what they print.

    Returns:
        The statuses of the first claims, until the child ended, and its exit code.
    """
    with tempfile.TemporaryDirectory(prefix="unprompt-") as name:
        folder = Path(name)
        results, printed = folder / "results.jsonl", folder / "printed.txt"
        results.touch()
        request = {
            "path": sys.path,
            "claims": [asdict(claim) for claim in claims],
            "results": str(results),
        }
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        with printed.open("wb") as output:
            child = subprocess.run(
                [sys.executable, "-c", _CHILD, str(folder / "request.json")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
        if sys.stderr is not None:
            sys.stderr.write(printed.read_text(encoding="utf-8", errors="replace"))
        rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
        statuses = [
            Status(claim, tuple(row["offers"]), row["summary"], row["error"])
            for claim, row in zip(claims, rows, strict=False)  # fewer rows where it ended
        ]
        return statuses, child.returncode


def answer(request: dict[str, list[dict[str, str]]]) -> None:
    """In the child: write a row for each claim, then end, whatever threads a plugin started."""
    registry = Registry()
    registry.claims = tuple(Claim(**claim) for claim in request["claims"])
    for claim in registry.claims:
        try:
            status = _status(registry, claim)
        except KeyboardInterrupt:  # Ctrl-C ends the parent
            status = Status(claim, error=f"{claim.label} failed to load: KeyboardInterrupt")
        # Opened for each row: a plugin may close any descriptor.
        with open(str(request["results"]), "a", encoding="utf-8") as results:
            results.write(json.dumps(asdict(status)) + "\n")
    for stream in (sys.stdout, sys.stderr):
        if stream:  # a plugin may have taken it
            stream.flush()
    os._exit(0)
