"""XMP packets: their text, and the properties in it, without entities of the file's own."""

from __future__ import annotations

import codecs
from xml.parsers import expat

from .decoding import utf8
from .source import Damaged

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # in front of UTF-16's, which its own begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_ELEMENTS = 20_000
_DEPTH = 64


def decoded(packet: bytes, what: str) -> str:
    """A packet's text, which is UTF-8 unless it begins with another byte order mark.

    Raises:
        Damaged: It is in another encoding.
    """
    packet = packet.rstrip(b"\0")
    for mark, encoding in _MARKS.items():
        if packet.startswith(mark):
            try:
                return packet.decode(encoding)
            except UnicodeDecodeError as error:
                raise Damaged(f"{what} is not {encoding.upper()}") from error
    return utf8(packet, what)


def properties(text: str) -> tuple[tuple[str, str], ...]:
    """The properties of an XMP packet that are texts, in their order.

    A property is an attribute of ``rdf:Description`` or an element in it; the items of a list or
    of alternatives in languages are one property each, of the same name.

    Args:
        text: The packet, as ``Field.text`` has it.

    Returns:
        Pairs of a name, ``NAMESPACE#NAME`` as the packet writes the namespace (which ends in
        ``/`` or ``#``), and a text that is not empty.

    Raises:
        ValueError: It is no XML, or has a document type (entities expand to any size), more than
            20,000 elements or more than 64 levels; one line.
    """
    reader = _Properties()
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.letters
    try:
        parser.Parse(text.encode(errors="replace"), True)
    except expat.ExpatError as error:
        raise ValueError(f"no XML: {expat.ErrorString(error.code)}") from error
    return tuple(reader.pairs)


class _Properties:
    """What expat calls: keeps the path of open elements and the texts in them."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []
        self._open: list[str] = []
        self._texts: list[list[str]] = []
        self._count = 0

    def doctype(self, *_: object) -> None:
        raise ValueError("a document type, which XMP has none of")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > _ELEMENTS or len(self._open) >= _DEPTH:
            raise ValueError("too many elements for XMP")
        if name == f"{_RDF} Description":
            own = [(key, value) for key, value in attributes.items() if not key.startswith(_RDF)]
            self.pairs += [(_joined(key), value) for key, value in own if value]
        self._open.append(name)
        self._texts.append([])

    def letters(self, text: str) -> None:
        if self._texts:
            self._texts[-1].append(text)

    def end(self, name: str) -> None:
        text = "".join(self._texts.pop())
        self._open.pop()
        owners = [element for element in [*self._open, name] if not element.startswith(_RDF)]
        within = any(element.startswith(f"{_RDF} ") for element in self._open)
        if text.strip() and owners and within:
            self.pairs.append((_joined(owners[-1]), text))


def _joined(name: str) -> str:
    namespace, _, local = name.rpartition(" ")
    return f"{namespace}{local}"
