"""Where a study lives: a journal file, a database, or a server that speaks for one."""

from unprompt._search.storages.messages import in_use, label, masked, notice
from unprompt._search.storages.opening import open_storage

__all__ = ["in_use", "label", "masked", "notice", "open_storage"]
