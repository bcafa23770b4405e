"""How much of a faiss index is searched: more of it finds more, and takes longer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

LEAST_BEAM = 64
"""faiss's own is 16, which finds two thirds of 100 neighbours among 5,000 rows."""


class Effort(NamedTuple):
    """What is set in an index.

    Attributes:
        probes: Lists that are searched; None: the index has no lists.
        beam: Rows of a graph that are kept in sight; None: the index is no graph.
    """

    probes: int | None = None
    beam: int | None = None

    def __str__(self) -> str:
        """For a log."""
        if self.probes is not None:
            return f"{self.probes:,} lists searched"
        return "all searched" if self.beam is None else f"a beam of {self.beam:,}"


def efforts_of(index: Any, rows: int) -> Iterator[Effort]:
    """Efforts to try, of which each is twice the one before, up to all lists or rows.

    Args:
        index: Of faiss.
        rows: How many there are in it.
    """
    import faiss

    lists = faiss.try_extract_index_ivf(index)
    if lists is not None:
        yield from (Effort(probes=number) for number in _doubled(1, int(lists.nlist)))
    elif _graph_of(index) is not None:
        yield from (Effort(beam=number) for number in _doubled(min(LEAST_BEAM, rows), rows))
    else:
        yield Effort()


def set_effort(index: Any, effort: Effort) -> None:
    """Search with this effort from now on.

    Raises:
        RuntimeError: The index is of another kind.
    """
    import faiss

    if effort.probes is not None:
        faiss.extract_index_ivf(index).nprobe = effort.probes
    if effort.beam is not None:
        graph = _graph_of(index)
        if graph is None:
            raise RuntimeError("the index is no graph")
        graph.efSearch = effort.beam


def _doubled(first: int, last: int) -> Iterator[int]:
    while first < last:
        yield first
        first *= 2
    yield last


def _graph_of(index: Any) -> Any:
    """The HNSW graph within an index; None where there is none."""
    import faiss

    inside = faiss.downcast_index(index)
    for around, name in (("IndexPreTransform", "index"), ("IndexRefine", "base_index")):
        if isinstance(inside, getattr(faiss, around)):
            return _graph_of(getattr(inside, name))
    return getattr(inside, "hnsw", None)
