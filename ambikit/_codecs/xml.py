"""XML in the chunks of sound files, read without regard to namespaces."""

from __future__ import annotations

import re
from xml.etree import ElementTree

Element = ElementTree.Element


def parse(data: bytes) -> Element | None:
    """Return the root of a document, with bare names; None where there is none that parses.

    A document that defines entities, by which a few bytes become gigabytes, is not parsed.
    """
    data = data.strip(b"\0 \r\n\t")
    if not data or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return None
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    for element in root.iter():
        element.tag = re.sub(r"^\{.*\}", "", str(element.tag))
    return root


def text_of(element: Element | None) -> str:
    """Return the text of an element, without the blanks around it."""
    return "" if element is None or element.text is None else element.text.strip()
