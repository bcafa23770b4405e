"""Nearest rows of a bank: exact search at the speed of 16-bit products, and approximate search."""

from unprompt.bank.search.approximate import LEAST_RECALL, ApproximateIndex, IndexAbout
from unprompt.bank.search.exact import search_exact
from unprompt.bank.search.neighbours import Neighbours, Rows
from unprompt.bank.search.quality import Quality
from unprompt.bank.search.tiles import PreparedRows, StoredRows

__all__ = [
    "LEAST_RECALL",
    "ApproximateIndex",
    "IndexAbout",
    "Neighbours",
    "PreparedRows",
    "Quality",
    "Rows",
    "StoredRows",
    "search_exact",
]
