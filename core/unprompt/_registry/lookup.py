"""From what YAML writes to the one claim that it means, and what to write where there is none."""

from __future__ import annotations

import os
from collections.abc import Sequence

from unprompt._config.check import did_you_mean
from unprompt._config.reference import normalised, split_reference
from unprompt._registry.allowed import VARIABLE, matches
from unprompt._registry.claims import Claim
from unprompt._registry.folders import FILE
from unprompt._registry.folders import VARIABLE as FOLDERS
from unprompt.errors import PluginError


def find(reference: str, claims: Sequence[Claim], excluded: Sequence[Claim]) -> Claim:
    """The claim that ``name`` or ``distribution:name`` means.

    Args:
        reference: As YAML writes it.
        claims: Those that may be used.
        excluded: Those that ``UNPROMPT_PLUGINS`` does not list.

    Raises:
        PluginError: There is none, or several; the line says what to write.
    """
    meant = [claim for claim in claims if matches(reference, claim)]
    if len(meant) > 1:
        raise PluginError(clash(meant))
    if meant:
        return meant[0]
    if any(matches(reference, claim) for claim in excluded):
        listed = os.environ.get(VARIABLE, "")
        raise PluginError(
            f"plugin {reference!r} is excluded by {VARIABLE}={listed!r}, which lists the plugins "
            "that may be used"
        )
    raise PluginError(f"unknown plugin {reference!r}{_why(reference, claims)}")


def clash(claims: Sequence[Claim]) -> str:
    """What is wrong where several claims have one name, and what to write."""
    name = claims[0].name
    owners = " and ".join(claim.owner for claim in claims)
    references = [claim.reference for claim in claims]
    if len(set(references)) == len(references):
        todo = f"write {' or '.join(map(repr, references))}"
    elif all(claim.path for claim in claims):
        todo = "rename one of the files"
    else:
        todo = "uninstall one"
    return f"plugin name {name!r} is claimed by {owners}: {todo}"


def _why(reference: str, claims: Sequence[Claim]) -> str:
    """Which part of a reference is unknown, and what is similar."""
    distribution, name = split_reference(reference)
    if distribution is None:
        suggestion = did_you_mean(name, {claim.name for claim in claims})
        return suggestion or "; see `unprompt plugins`"
    own = [claim for claim in claims if normalised(claim.distribution) == distribution]
    if own or distribution == FILE:
        suggestion = did_you_mean(name, {claim.name for claim in own})
        if distribution == FILE:
            return f": {FOLDERS} has no file for {name!r}{suggestion}"
        return f": {own[0].owner} offers no plugin {name!r}{suggestion}"
    suggestion = did_you_mean(distribution, {normalised(c.distribution) for c in claims})
    others = [claim.reference for claim in claims if claim.name == name]
    if not suggestion and others:
        suggestion = f"; there is {' and '.join(map(repr, others))}"
    return f": no distribution {distribution!r} with plugins is installed{suggestion}"
