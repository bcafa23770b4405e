"""Where a study lives: a journal file, a database, or a server that speaks for one."""

from unprompt._search.storages.messages import masked
from unprompt._search.storages.opening import open_storage

__all__ = ["masked", "open_storage"]
