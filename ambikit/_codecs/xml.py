"""XML in the chunks of sound files, read without regard to namespaces."""

from __future__ import annotations

import codecs
import re
from xml.etree import ElementTree

Element = ElementTree.Element


def parse(data: bytes) -> Element | None:
    """Return the root of a document, with bare names; None where there is none that parses.

    A document that defines entities, by which a few bytes become gigabytes, is not parsed.
    """
    blank = "\0 \r\n\t"
    text: str | bytes = data.strip(blank.encode())
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", "replace").strip(blank)
        readable = text.encode("utf-8", "replace")
    else:
        readable = data.strip(blank.encode())
    if not readable or any(word in readable for word in (b"<!DOCTYPE", b"<!ENTITY", b"\0")):
        return None
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    for element in root.iter():
        element.tag = re.sub(r"^\{.*\}", "", str(element.tag))
    return root


def text_of(element: Element | None) -> str:
    """Return the text of an element, without the blanks around it."""
    return "" if element is None or element.text is None else element.text.strip()
