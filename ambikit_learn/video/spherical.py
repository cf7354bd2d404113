"""What a video file says about its projection: the boxes sv3d and st3d, and their like in Matroska.

FFmpeg hands them on with each frame, as the bytes of its own structures.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ambikit import InputError
from ambikit_learn._typing import Floats
from ambikit_learn.sphere.equirect import direction_to_pixel
from ambikit_learn.sphere.projection import EAC_PADDING, FrameLayout, cubemap_places

_Take = Callable[[bytes, bytes], bytes | None]


class PartialSphereError(InputError):
    """The picture does not cover the sphere, or cannot be cut to one that does."""


# enum AVSphericalProjection and enum AVStereo3DType of libavutil.
_PROJECTIONS = {0: "equirectangular", 1: "cubemap"}
_PARTIAL = {
    2: "a part of an equirectangular picture",
    3: "half of the sphere",
    4: "a plane picture",
    5: "a fisheye picture",
    6: "a picture whose projection is told apart from it",
}
_STEREO = {0: "mono", 1: "left-right", 2: "top-bottom"}
# AVSphericalMapping: projection, yaw, pitch, roll, four bounds, padding.
_MAPPING = struct.Struct("=i3i4II")


def stated_layout(side_data: Any) -> FrameLayout | None:
    """Read the layout that a frame's side data states.

    Parameters
    ----------
    side_data : mapping
        ``frame.side_data`` of PyAV.

    Returns
    -------
    FrameLayout or None
        None if nothing is stated of the projection, nor of two eyes.

    Raises
    ------
    PartialSphereError
        The picture does not cover the sphere, or two eyes share it in a way that cannot be cut.

    Notes
    -----
    Pose is passed over: FFmpeg gives the initial view of Spherical Video V1 in the same fields,
    which does not turn the picture.

    References
    ----------
    .. [1] Google, "Spherical Video V2 RFC", github.com/google/spatial-media.
    """
    mapping, eyes = (side_data.get(name) for name in ("SPHERICAL", "STEREO3D"))
    if mapping is None and eyes is None:
        return None
    assumed = mapping is None
    projection, padding, stereo = "equirectangular", 0, "mono"
    if mapping is not None:
        kind, *_, padding = _MAPPING.unpack_from(bytes(mapping))
        if kind not in _PROJECTIONS:
            raise PartialSphereError(
                f"the file states {_PARTIAL.get(kind, f'projection {kind}')}: "
                "convert it to an equirectangular picture of the whole sphere"
            )
        projection = _PROJECTIONS[kind]
    if eyes is not None:
        (arrangement,) = struct.unpack_from("=i", bytes(eyes))
        if arrangement not in _STEREO:
            raise PartialSphereError(
                f"the file states two eyes in arrangement {arrangement} of FFmpeg's: "
                "convert it to top-bottom, left-right or one eye"
            )
        stereo = _STEREO[arrangement]
    if assumed and stereo == "mono":
        return None
    padding = padding if projection == "cubemap" else 0
    return FrameLayout(projection, stereo, padding, assumed=assumed)


UPRIGHT = (False, False, False)


def orientation_of(frame: Any) -> tuple[bool, bool, bool]:
    """Read how players turn a frame (display matrix).

    Parameters
    ----------
    frame : av.VideoFrame

    Returns
    -------
    tuple of bool
        Whether rows and columns are exchanged, and whether left and right, and top and bottom, are
        exchanged after that.

    Raises
    ------
    PartialSphereError
        It is turned by another angle than a multiple of 90°.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return UPRIGHT
    # Of a point (x, y): x' = a x + c y, y' = b x + d y
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    if b == c == 0 and a and d:
        return False, a < 0, d < 0
    if a == d == 0 and b and c:
        return True, c < 0, b < 0
    raise PartialSphereError(
        f"its display matrix ({a}, {b}; {c}, {d}) is no turn by a multiple of 90°: convert it"
    )


# Of Spherical Video V1: the id of its box in mp4, and the name of its tag in Matroska.
_XML_ID = bytes.fromhex("ffcc8263f8554a938814587a02521fdd")
_XML_TAG = "SPHERICAL-VIDEO"
_XML_STEREO = {"mono": "mono", "left-right": "left-right", "top-bottom": "top-bottom"}


def stated_in_xml(path: Path, tags: Mapping[str, str]) -> FrameLayout | None:
    """Read what the XML of Spherical Video V1 states, of which FFmpeg reads no crop.

    Parameters
    ----------
    path : Path
        Video file.
    tags : mapping
        Metadata of its video stream.

    Returns
    -------
    FrameLayout or None
        None if there is no such XML.

    Raises
    ------
    PartialSphereError
        The picture is a part of a panorama, or of another projection.

    References
    ----------
    .. [1] Google, "Spherical Video V1 RFC", github.com/google/spatial-media.
    """
    named = {name.upper(): text for name, text in tags.items()}
    text = named.get(_XML_TAG)
    if text is None:
        with path.open("rb") as stream:
            found = None if stream.read(4) == _EBML else _in_mp4(stream, (b"trak", b"uuid"), _xml)
        text = None if found is None else found.decode("utf-8", "replace")
    if text is None:
        return None
    values = dict(re.findall(r"<GSpherical:(\w+)>\s*([^<]*?)\s*</", text))
    if values.get("Spherical", "true").lower() != "true":
        return None
    projection = values.get("ProjectionType", "equirectangular").lower()
    if projection != "equirectangular":
        raise PartialSphereError(f"the file states the projection {projection!r}: convert it")
    for side in ("Width", "Height"):
        whole = values.get(f"FullPano{side}Pixels")
        shown = values.get(f"CroppedAreaImage{side}Pixels", whole)
        if whole != shown:
            raise PartialSphereError(
                f"the file states a part of a panorama ({shown} of {whole} pixels of its "
                f"{side.lower()}): pad or convert it to a picture of the whole sphere"
            )
    stereo = values.get("StereoMode", "mono").lower()
    if stereo not in _XML_STEREO:
        raise PartialSphereError(f"the file states two eyes as {stereo!r}: convert it to one eye")
    return FrameLayout(stereo=_XML_STEREO[stereo])


def _xml(name: bytes, payload: bytes) -> bytes | None:
    """Return the XML of a box, if it holds it."""
    return payload[16:] if payload[:16] == _XML_ID else None


def _mesh(name: bytes, payload: bytes) -> bytes | None:
    """Return the payload of a box of a mesh."""
    return payload if name in _MESHES else None


# What comes before the children of a box; the entry of a stsd is named by its codec.
_HEADERS = {b"stsd": 8, b"entry": 78}
_BOXES = (b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"entry", b"sv3d", b"proj", b"any")
_MESHES = (b"mshp", b"ytmp")
# Segment, Tracks, TrackEntry, Video, Projection; ProjectionPrivate.
_ELEMENTS = (0x18538067, 0x1654AE6B, 0xAE, 0xE0, 0x7670)
_PRIVATE = 0x7672
_EBML = b"\x1a\x45\xdf\xa3"
_LARGEST = 1 << 24

# Share of a frame's height by which a mesh may differ from a projection and still be that one.
_CLOSE = 0.02


def mesh_layout(path: Path) -> FrameLayout | None:
    """Tell which projection a file's mesh describes.

    Parameters
    ----------
    path : Path
        Video file.

    Returns
    -------
    FrameLayout or None
        Of one eye; None if the file has no mesh.

    Raises
    ------
    PartialSphereError
        The mesh is another projection's, such as the fisheye pictures of VR180, or is damaged.

    Notes
    -----
    A mesh lists points of the sphere and where the frame shows them. It is taken for the projection
    that shows half of its points within 2% of the frame's height of the same place.

    References
    ----------
    .. [1] Google, "Spherical Video V2 RFC", github.com/google/spatial-media.
    """
    with path.open("rb") as stream:
        payload = (
            _in_matroska(stream) if stream.read(4) == _EBML else _in_mp4(stream, _BOXES, _mesh)
        )
    if payload is None:
        return None
    try:
        vertices = _first_mesh(payload)
    except (struct.error, zlib.error, ValueError, IndexError) as error:
        raise PartialSphereError(
            f"its projection mesh is damaged ({error}): convert it to an equirectangular picture"
        ) from None
    # From OpenGL's axes (right, up, backwards), and a frame counted from its lower left corner.
    directions = np.stack([-vertices[:, 2], -vertices[:, 0], vertices[:, 1]], axis=-1)
    wanted = vertices[:, 3], 1.0 - vertices[:, 4]
    for layout in (FrameLayout("eac", padding=EAC_PADDING), FrameLayout()):
        shown = _places(directions, layout)
        if np.median(np.hypot(shown[0] - wanted[0], shown[1] - wanted[1])) < _CLOSE:
            return layout
    raise PartialSphereError(
        "the file states a projection mesh that is no equi-angular cubemap, such as that of VR180: "
        "convert it to an equirectangular picture of the whole sphere"
    )


def _places(directions: Floats, layout: FrameLayout) -> tuple[Floats, Floats]:
    """Fractions of a frame's width and height at which it shows directions."""
    if layout.projection == "equirectangular":
        x, y, z = directions.T
        return direction_to_pixel(np.arctan2(y, x), np.arctan2(z, np.hypot(x, y)))
    columns, rows = cubemap_places(directions, layout, 1080, 1920)
    return (columns + 0.5) / 1920, (rows + 0.5) / 1080


def _first_mesh(payload: bytes) -> Floats:
    """Vertices (N, 5) x, y, z, u, v of the first mesh: the left eye's, if there are two."""
    encoding, data = payload[8:12], payload[12:]
    if encoding == b"dfl8":
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, _LARGEST)
    elif encoding != b"raw ":
        raise ValueError(f"unknown encoding {encoding!r}")
    size, name = struct.unpack_from(">I4s", data)
    if name != b"mesh" or size > len(data):
        raise ValueError("no mesh")
    (count,) = struct.unpack_from(">I", data, 8)
    coordinates = np.frombuffer(data, ">f4", count, 12).astype(np.float64)
    place = 12 + 4 * count
    (vertices,) = struct.unpack_from(">I", data, place)
    # Indices into the coordinates, as differences along each column: zig-zag, packed to bits.
    bits = (2 * count - 1).bit_length()
    packed = np.frombuffer(data, np.uint8, -(-vertices * 5 * bits // 8), place + 4)
    ones = np.unpackbits(packed)[: vertices * 5 * bits].reshape(-1, bits).astype(np.int64)
    coded = ones @ (1 << np.arange(bits)[::-1])
    steps = np.where(coded % 2, -(coded + 1) // 2, coded // 2).reshape(-1, 5)
    found: Floats = coordinates[np.cumsum(steps, axis=0)]
    return found


def _in_mp4(stream: BinaryIO, path: tuple[bytes, ...], take: _Take) -> bytes | None:
    """Find what is looked for in the boxes below ``moov`` of an mp4 file."""
    place = 0
    while True:
        stream.seek(place)
        head = stream.read(16)
        if len(head) < 8:
            return None
        size, name = struct.unpack_from(">I4s", head)
        header = 8
        if size == 1 and len(head) == 16:
            (size,), header = struct.unpack_from(">Q", head, 8), 16
        if name == b"moov":
            stream.seek(place + header)
            return _descend(stream.read(size - header if size else -1), path, take)
        if size < 8:
            return None
        place += size


def _descend(data: bytes, path: tuple[bytes, ...], take: _Take) -> bytes | None:
    """Follow a path of boxes, through every one of a name, to what is looked for."""
    for name, payload in _children(data):
        if len(path) == 1:
            found = take(name, payload) if path[0] in (name, b"any") else None
        elif path[0] in (name, b"entry"):
            found = _descend(payload[_HEADERS.get(path[0], 0) :], path[1:], take)
        else:
            continue
        if found is not None:
            return found
    return None


def _children(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the name and payload of each box."""
    place = 0
    while place + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        if size < 8:
            return
        yield name, data[place + 8 : place + size]
        place += size


def _in_matroska(stream: BinaryIO) -> bytes | None:
    """Find the mesh of a Matroska file: its ProjectionPrivate, if it looks like a mesh."""
    end = stream.seek(0, 2)
    private = _element(stream, 0, end, _ELEMENTS)
    return private if private is not None and private[8:12] in (b"raw ", b"dfl8") else None


def _element(stream: BinaryIO, place: int, end: int, path: tuple[int, ...]) -> bytes | None:
    """Follow a path of elements, through every one of an id, to ProjectionPrivate."""
    while place < end:
        stream.seek(place)
        head = stream.read(12)
        if not head or not head[0]:
            return None
        width = 9 - head[0].bit_length()
        name, sized = int.from_bytes(head[:width]), head[width:]
        digits = 9 - sized[0].bit_length() if sized else 0
        if not 0 < digits <= min(len(sized), 8):
            return None
        size = int.from_bytes(sized[:digits]) - (1 << 7 * digits)
        place += width + digits
        # All ones: the size is not known, as of a live stream.
        stop = end if size == (1 << 7 * digits) - 1 else min(place + size, end)
        if not path and name == _PRIVATE:
            stream.seek(place)
            return stream.read(min(stop - place, _LARGEST))
        if path and name == path[0]:
            found = _element(stream, place, stop, path[1:])
            if found is not None:
                return found
            if name == _ELEMENTS[1]:  # nothing follows the tracks but what they show
                return None
        place = stop
    return None
