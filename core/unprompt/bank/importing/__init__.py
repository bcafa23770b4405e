"""Banks from embeddings that exist: pairs of npy files, and folders of clip-retrieval."""

from unprompt.bank.importing.importing import FORMATS, Format, Imported, import_folder

__all__ = ["FORMATS", "Format", "Imported", "import_folder"]
