"""Whether what a distribution requires is installed."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator

from unprompt._registry.wording import described


def unmet_requirements(distribution: str) -> Iterator[str]:
    """What an installed distribution requires and does not get, without its extras.

    Args:
        distribution: Its name.

    Yields:
        A line for each: ``needs numpy>=99, and 2.4 is installed``.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        metadata = importlib.metadata.metadata(distribution)
    except importlib.metadata.PackageNotFoundError:  # a folder of plugins, or broken metadata
        return
    except ValueError as error:  # not UTF-8
        yield f"has metadata that cannot be read: {described(error)}"
        return
    if "Requires-Python" in metadata:
        python = metadata["Requires-Python"]
        try:
            if not SpecifierSet(python).contains(platform.python_version(), prereleases=True):
                yield f"needs Python {python}, and this is {platform.python_version()}"
        except InvalidSpecifier:
            yield f"has an invalid Requires-Python: {python!r}"
    yield from _unmet(metadata.get_all("Requires-Dist") or [], "", {distribution})


def _unmet(lines: list[str], extra: str, seen: set[str]) -> Iterator[str]:
    """The unmet ones among requirements that hold with one extra of their distribution."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion

    for line in lines:
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            yield f"has an invalid requirement: {line!r}"
            continue
        if wanted.marker and not wanted.marker.evaluate({"extra": extra}):
            continue
        try:
            metadata = importlib.metadata.metadata(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"needs {wanted}, which is not installed"
            continue
        except ValueError as error:
            yield f"needs {wanted}, whose metadata cannot be read: {described(error)}"
            continue
        version = str(metadata["Version"])
        try:
            fits = wanted.specifier.contains(version, prereleases=True)
        except InvalidVersion:
            fits = False
        if not fits:
            yield f"needs {wanted}, and {version} is installed"
        for inner in wanted.extras:
            key = canonicalize_name(f"{wanted.name}-{inner}")
            if key not in seen:  # extras may name each other
                seen.add(key)
                yield from _unmet(metadata.get_all("Requires-Dist") or [], inner, seen)
