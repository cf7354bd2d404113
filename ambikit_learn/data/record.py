"""The record of a clip, ``{key}.json``: its origin and its objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ambikit import InputError
from ambikit_learn.sphere.tracks import Objects, Track

FORMAT = "ambikit-clip/2"
# Keys of the objects; `Objects` says steps where the format says moments.
_RATE, _STEPS, _OBJECTS = "detection_rate", "moments", "objects"


def write_record(facts: Mapping[str, Any], objects: Objects) -> bytes:
    """Write the record of a clip.

    Parameters
    ----------
    facts : mapping
        Origin and properties of the clip, as plain values.
    objects : Objects
        Objects that were detected in it.

    Returns
    -------
    bytes
        The clip's ``{key}.json``.
    """
    document = {
        "format": FORMAT,
        **facts,
        _RATE: objects.rate,
        _STEPS: objects.count,
        _OBJECTS: [track.to_record() for track in objects.tracks],
    }
    return _encoded(document)


def with_facts(record: bytes, facts: Mapping[str, Any]) -> bytes:
    """Return a record with other values of some facts.

    Parameters
    ----------
    record : bytes
        The clip's ``{key}.json``.
    facts : mapping
        New values of facts that it has.

    Returns
    -------
    bytes
        The same as `write_record` gives of these facts.

    Raises
    ------
    InputError
        The record is damaged, or of another version.
    """
    return _encoded({**read_record(record), **facts})


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
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}, not {FORMAT!r}")
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
        tracks = tuple(map(Track.from_record, document[_OBJECTS]))
        return Objects(document[_RATE], document[_STEPS], tracks)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"the objects are damaged ({error})") from error


def read_directions(record: bytes) -> list[tuple[str, list[float], list[float]]]:
    """Read label, azimuths and elevations of each object of a clip, as plain lists.

    Parameters
    ----------
    record : bytes
        The clip's ``{key}.json``.

    Returns
    -------
    list of (str, list of float, list of float)
        Angles in degrees. To count them takes less time so than through `read_objects`.

    Raises
    ------
    InputError
        The record is damaged, or of another version.
    """
    document = read_record(record)
    try:
        return [
            (str(one["label"]), list(one["azimuth"]), list(one["elevation"]))
            for one in document[_OBJECTS]
        ]
    except (KeyError, TypeError) as error:
        raise InputError(f"the objects are damaged ({error})") from error


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
