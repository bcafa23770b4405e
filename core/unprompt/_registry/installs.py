"""How the distributions of plugins were installed, and the line that installs the same again.

Installers record it in ``direct_url.json`` (PEP 610): a repository with its commit, an archive or
a folder. Without one, a distribution came by its name and version from an index, such as PyPI.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter

from unprompt._files import paths
from unprompt._files.reading import read_text
from unprompt._registry.claims import Claim
from unprompt.errors import DataError

MANIFEST = "manifest.json"
"""The file of a run that says which plugins it had."""

_OF_URLS = "%/:=&?~#+!$,;'@()*[]"
"""What a URL may hold beside letters; a space would end it in a line of requirements."""

_LONGEST = 100_000
"""Bytes of a ``direct_url.json``."""


class Install(BaseModel):
    """A distribution, and how it was installed.

    Attributes:
        distribution: Its name; ``file`` for a plugin without a package.
        version: Its version.
        how: ``index`` by name, ``vcs`` from a repository, ``archive`` from a file or URL,
            ``folder`` or ``editable`` from a folder, ``file`` for a plugin's own file.
        url: Of the repository or archive, without credentials; else the folder's or file's path.
        revision: The commit, with ``vcs``; the archive's hash, such as ``sha256=...``.
        vcs: ``git`` and so on.
        subdirectory: In the repository or archive.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    distribution: str
    version: str
    how: Literal["index", "vcs", "archive", "folder", "editable", "file"] = "index"
    url: str = ""
    revision: str = ""
    vcs: str = ""
    subdirectory: str = ""

    @property
    def requirement(self) -> str | None:
        """What pip installs; None where that is on one machine only."""
        inside = f"subdirectory={quote(self.subdirectory)}" if self.subdirectory else ""
        url = quote(self.url, safe=_OF_URLS)
        local = self.url.startswith("file:")
        if self.how == "vcs" and not local:
            return f"{self.distribution} @ {self.vcs}+{url}@{self.revision}" + (
                f"#{inside}" if inside else ""
            )
        if self.how == "archive" and not local:
            fragment = "&".join(part for part in (self.revision, inside) if part)
            return f"{self.distribution} @ {url}" + (f"#{fragment}" if fragment else "")
        known = re.fullmatch(r"[A-Za-z0-9._-]+", self.distribution) and self.version != "?"
        return f"{self.distribution}=={self.version}" if self.how == "index" and known else None

    @property
    def line(self) -> str:
        """A line of a requirements file; a comment where there is nothing to install from."""
        return self.requirement or f"# {self.shown}"

    @property
    def shown(self) -> str:
        """For people: the distribution, its version, and how it was installed."""
        name = f"{self.distribution} {self.version}".strip()
        places = {
            "index": "",
            "vcs": f" ({self.vcs} {self.url}, commit {self.revision[:12]})",
            "archive": f" (from {self.url})",
            "folder": f" (from the folder {self.url}, which only its machine has)",
            "editable": f" (editable, from the folder {self.url}, which only its machine has)",
        }
        if self.how == "file":
            return f"file {self.url}: a plugin without a package, which only its machine has"
        return f"{name}{places[self.how]}"


def installed(claim: Claim) -> Install:
    """How a plugin's distribution was installed."""
    if claim.path:
        return Install(distribution=claim.distribution, version="", how="file", url=claim.path)
    return installed_distribution(claim.distribution, claim.version)


def installed_distribution(name: str, version: str) -> Install:
    """How a distribution was installed."""
    return Install.model_validate({"distribution": name, "version": version, **_direct(name)})


def recorded(folder: Path) -> dict[str, Install]:
    """The plugins of a run by their names; empty where the folder is no run's, or damaged."""
    with suppress(DataError, ValueError, LookupError, TypeError):  # whoever reads the run says so
        if paths.is_file(folder / MANIFEST):
            return _RECORDED.validate_python(json.loads(read_text(folder / MANIFEST))["plugins"])
    return {}


def _older(value: object) -> object:
    """Manifests of earlier versions say ``distribution version`` only."""
    if not isinstance(value, str):
        return value
    distribution, _, version = value.rpartition(" ")
    return {"distribution": distribution, "version": version}


RecordedInstall = Annotated[Install, BeforeValidator(_older)]
_RECORDED: TypeAdapter[dict[str, Install]] = TypeAdapter(dict[str, RecordedInstall])


def _direct(distribution: str) -> dict[str, str]:
    """What ``direct_url.json`` of a distribution says, as fields of `Install`."""
    try:
        text = importlib.metadata.distribution(distribution).read_text("direct_url.json")
        content: Any = json.loads((text or "null")[:_LONGEST])
        return _fields(content) if isinstance(content, Mapping) else {}
    except (LookupError, ImportError, AttributeError, TypeError, ValueError, OSError):
        return {}  # not there, or not as PEP 610 says


def _fields(content: Mapping[str, Any]) -> dict[str, str]:
    url = str(content["url"])
    json.dumps(content, ensure_ascii=False).encode()  # raises where files could not hold it
    inside = {"subdirectory": str(content.get("subdirectory", ""))}
    if "vcs_info" in content:
        info = content["vcs_info"]
        revision = {"vcs": str(info["vcs"]), "revision": str(info["commit_id"])}
        return {"how": "vcs", "url": without_credentials(url), **revision, **inside}
    if "archive_info" in content:
        info = content["archive_info"]
        hashes = [f"{name}={value}" for name, value in info.get("hashes", {}).items()]
        sums = [*hashes, str(info.get("hash", ""))]
        return {"how": "archive", "url": without_credentials(url), "revision": sums[0], **inside}
    how = "editable" if content.get("dir_info", {}).get("editable") else "folder"
    parts = urlsplit(url)
    return {"how": how, "url": unquote(parts.path) if parts.scheme == "file" else url}


def without_credentials(url: str) -> str:
    """A URL without user and password; ``git@`` and other users of SSH are no credentials."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if at and "ssh" in parts.scheme:
        host = f"{user.partition(':')[0]}@{host}"
    query = re.sub(r"(?i)(^|&)[^=&]*(token|key|secret|passw|sig)[^=&]*=[^&]*", "", parts.query)
    return urlunsplit(parts._replace(netloc=host, query=query.strip("&")))
