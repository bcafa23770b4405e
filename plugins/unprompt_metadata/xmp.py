"""The three properties of an XMP packet that generators write texts into."""

from __future__ import annotations

import re

LONGEST = 4 << 20
_REFERENCE = re.compile(r"&(?:#x([0-9A-Fa-f]{1,6})|#([0-9]{1,7})|(lt|gt|amp|quot|apos));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


def xmp_texts(packet: str) -> dict[str, str]:
    """The texts of ``xmp:CreatorTool``, ``exif:UserComment`` and ``dc:description``.

    The packet is searched, not parsed: no entity of its own is ever expanded. Each property may be
    an element, an element with an ``rdf:li`` (the first is taken), or an attribute.
    """
    if len(packet) > LONGEST:
        return {}
    names = ("xmp:CreatorTool", "exif:UserComment", "dc:description")
    texts = {name.partition(":")[2]: _property(packet, name) for name in names}
    return {name: text for name, text in texts.items() if text is not None}


def _property(packet: str, name: str) -> str | None:
    opening = packet.find(f"<{name}")
    if opening >= 0:
        closing = packet.find(f"</{name}>", opening)
        if closing < 0:
            return None
        content = _content(packet[opening:closing])
        item = content.find("<rdf:li")
        if item >= 0:
            end = content.find("</rdf:li>", item)
            content = _content(content[item:end]) if end >= 0 else ""
        return None if "<" in content else _decoded(content)
    attribute = packet.find(f' {name}="')
    if attribute < 0:
        return None
    start = attribute + len(name) + 3
    end = packet.find('"', start)
    return None if end < 0 else _decoded(packet[start:end])


def _content(element: str) -> str:
    """What follows the start tag."""
    return element.partition(">")[2]


def _decoded(text: str) -> str:
    return _REFERENCE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    hexadecimal, decimal, name = match.groups()
    if name:
        return _NAMED[name]
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    return chr(code) if code <= 0x10FFFF else match.group()
