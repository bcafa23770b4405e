"""Progress that is counted in things done, not in steps of a loop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import count

from unprompt.contracts import Progress


@contextmanager
def ticking(
    progress: Progress, what: str, total: int | None = None
) -> Iterator[Callable[[int], None]]:
    """Show progress while the block runs.

    Args:
        progress: Shows it.
        what: Names the work.
        total: How much there is, where that is known.

    Yields:
        A function to call with how much has been done since the last call.
    """
    numbers: Iterable[int] = count() if total is None else range(total)
    with closing(_endless(progress(numbers, what=what, total=total))) as steps:

        def tick(done: int) -> None:
            for _ in range(done):
                next(steps)

        yield tick


def _endless(steps: Iterable[int]) -> Generator[None]:
    """It does not end before the work, which may turn out to be more than was thought."""
    for _ in steps:
        yield
    while True:
        yield
