"""The properties of an XMP packet, read without entities of the packet's own."""

from __future__ import annotations

import pytest

from unprompt_metadata.containers.source import Damaged
from unprompt_metadata.containers.xmp import decoded, properties

DRAW_THINGS = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/"
  xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Draw Things">
<exif:UserComment><rdf:Alt><rdf:li xml:lang="x-default">{"c":"a &lt;cat&gt;, 猫"}</rdf:li></rdf:Alt>
</exif:UserComment><xmp:Label>one</xmp:Label></rdf:Description></rdf:RDF></x:xmpmeta>"""
EXIF, XAP = "http://ns.adobe.com/exif/1.0/", "http://ns.adobe.com/xap/1.0/"


def test_attributes_elements_and_alternatives() -> None:
    assert properties(DRAW_THINGS) == (
        (f"{XAP}CreatorTool", "Draw Things"),
        (f"{EXIF}UserComment", '{"c":"a <cat>, 猫"}'),
        (f"{XAP}Label", "one"),
    )


def test_items_of_a_list_are_one_property_each() -> None:
    items = "<rdf:Seq><rdf:li>a</rdf:li><rdf:li>b</rdf:li></rdf:Seq>"
    text = DRAW_THINGS.replace("one", items)
    assert properties(text)[2:] == ((f"{XAP}Label", "a"), (f"{XAP}Label", "b"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<a>", "no XML: no element found"),
        ("", "no XML: no element found"),
        ("hello", "no XML: syntax error"),
        ("<a>&b;</a>", "no XML: undefined entity"),
        ('<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>', "a document type, which XMP has none of"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "a document type"),
        ("<a>" * 65 + "</a>" * 65, "too many elements for XMP"),
        ("<a>" + "<b/>" * 20_001 + "</a>", "too many elements for XMP"),
        ("<a>\ud800</a>", None),
        ("<a>\0</a>", "no XML: not well-formed"),
    ],
)
def test_what_is_no_xmp(text: str, problem: str | None) -> None:
    if problem is None:
        assert properties(text) == ()
        return
    with pytest.raises(ValueError, match=problem):
        properties(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_packets_in_each_encoding(encoding: str) -> None:
    assert decoded(DRAW_THINGS.encode(encoding) + b"\0", "it") == DRAW_THINGS


@pytest.mark.parametrize("packet", [b"\xff\xfe\0\xd8", b"<a>\xe9</a>"])
def test_packets_in_no_encoding(packet: bytes) -> None:
    with pytest.raises(Damaged, match="it is not UTF-"):
        decoded(packet, "it")
