"""How YAML names a plugin: ``name``, or ``distribution:name`` where several offer one."""

from __future__ import annotations

import re


def split_reference(text: str) -> tuple[str | None, str]:
    """The distribution, normalised, and the plugin's own name.

    Args:
        text: As YAML writes it.

    Returns:
        The distribution, or None where the text names none; and the name.
    """
    distribution, colon, name = text.partition(":")
    return (normalised(distribution), name) if colon else (None, text)


def plugin_name(text: str) -> str:
    """The plugin's own name: ``knn-vit-h`` of ``my-dist:knn-vit-h``."""
    return split_reference(text)[1]


def normalised(distribution: str) -> str:
    """A distribution's name as PEP 503 compares them: ``My_Dist`` is ``my-dist``."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
