"""The record of a clip, ``{key}.json``: its origin and its objects."""

from __future__ import annotations

import json
from typing import Any

from ambikit import InputError
from ambikit_learn.sphere.tracks import Objects, Track

RECORD_FORMAT = "ambikit-clip/2"


def read_record(record: bytes) -> dict[str, Any]:
    """Read the record of a clip.

    Parameters
    ----------
    record : bytes
        The clip's ``{key}.json``.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        The record is damaged, or of another version.
    """
    try:
        document: dict[str, Any] = json.loads(record)
        if document["format"] != RECORD_FORMAT:
            raise ValueError(f"format {document['format']!r}, not {RECORD_FORMAT!r}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"the record is damaged ({error})") from error
    return document


def read_objects(record: bytes) -> Objects:
    """Read the objects of a clip.

    Parameters
    ----------
    record : bytes
        The clip's ``{key}.json``.

    Returns
    -------
    Objects

    Raises
    ------
    InputError
        The record is damaged, or of another version.
    """
    document = read_record(record)
    try:
        tracks = tuple(map(Track.from_record, document["objects"]))
        return Objects(document["detection_rate"], document["moments"], tracks)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"the objects are damaged ({error})") from error
