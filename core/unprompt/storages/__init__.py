"""Where a study lives: a journal file, a database, or a server that speaks for one."""

from unprompt.storages.opening import open_storage
from unprompt.storages.trouble import masked

__all__ = ["masked", "open_storage"]
