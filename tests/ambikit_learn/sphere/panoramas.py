"""Panoramas of known content in every projection, and files that state theirs."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import numpy as np
from scipy.spatial.transform import Rotation

from ambikit_learn.sphere.equirect import pixel_to_direction
from ambikit_learn.sphere.projection import (
    EAC_PADDING,
    FrameLayout,
)

EAC = FrameLayout("eac", padding=EAC_PADDING)

# Six cameras, turned from the front by (yaw, pitch) in degrees, positive pitch downwards.
CAMERAS = {
    "front": (0, 0),
    "left": (90, 0),
    "right": (-90, 0),
    "back": (180, 0),
    "up": (0, -90),
    "down": (0, 90),
}
# The faces of each row, and the quarter turns, counter-clockwise, of each one's picture.
ROWS = {
    "eac": [
        [("left", 0), ("front", 0), ("right", 0)],
        [("down", 1), ("back", -1), ("up", 1)],
    ],
    # Spherical Video V2: "the up face is oriented so the top of the face is forwards and the down
    # face is oriented so the top of the face is to the back", as none of the cameras stands.
    "cubemap": [
        [("right", 0), ("left", 0), ("up", 2)],
        [("down", 2), ("front", 0), ("back", 0)],
    ],
}


def face(paint, name, turns, side, padding, equiangular):
    """Picture of one camera, `side` pixels wide of which `padding` at each edge are beyond 45°."""
    place = (np.arange(side) - padding + 0.5) / (side - 2 * padding) * 2 - 1
    if equiangular:
        place = np.tan(place * np.pi / 4)
    right, down = np.meshgrid(place, place)
    rays = np.stack([np.ones_like(right), -right, -down], axis=-1)
    yaw, pitch = CAMERAS[name]
    turned = Rotation.from_euler("ZY", [yaw, pitch], degrees=True).apply(rays.reshape(-1, 3))
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    return np.rot90(paint(turned).reshape(side, side, 3), turns)


def render(paint, projection, side, padding=0):
    """Frame of six faces, painted by a function of directions."""
    cubemap = projection == "cubemap"
    faces = [
        [face(paint, name, turns, side, padding * cubemap, not cubemap) for name, turns in row]
        for row in ROWS[projection]
    ]
    rows = [np.concatenate(row, axis=1) for row in faces]
    if not cubemap:  # YouTube pads a row of faces as a whole
        edge = ((padding, padding), (padding, padding), (0, 0))
        rows = [np.pad(row, edge, mode="edge") for row in rows]
    return np.concatenate(rows)


def directions(height, width):
    """Unit vectors (height, width, 3) to the pixels of an equirectangular frame."""
    u, v = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    azimuth, elevation = pixel_to_direction(u, v)
    level = np.cos(elevation)
    return np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], -1)


def coded(rays):
    """Colour that tells the direction: x, y, z as red, green, blue."""
    return np.rint((rays + 1) * 127.5).astype(np.uint8)


def scene(rays):
    """A picture with detail everywhere, none of it symmetrical."""
    x, y, z = np.moveaxis(rays, -1, 0)
    waves = [np.sin(5 * x + 3 * y * z + 1), np.sin(4 * y - 3 * z * x), np.sin(6 * z + 2 * x + 2)]
    return np.rint(np.stack(waves, axis=-1) * 100 + 128).astype(np.uint8)


def disc(azimuth, elevation):
    """Painter of a white disc of radius 12° on grey, with a darker southern hemisphere."""
    a, e = np.deg2rad([azimuth, elevation])
    centre = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])

    def paint(rays):
        grey = np.where(rays[..., 2] < 0, 60, 110)
        grey = np.where(rays @ centre > np.cos(np.deg2rad(12)), 250, grey)
        return np.repeat(grey[..., None], 3, axis=-1).astype(np.uint8)

    return paint


def v360(frame, options):
    """Convert a frame by FFmpeg's filter."""
    graph = av.filter.Graph()
    height, width, _ = frame.shape
    source = graph.add_buffer(width=width, height=height, format="rgb24", time_base=Fraction(1, 25))
    nodes = [graph.add("v360", options), graph.add("format", "rgb24"), graph.add("buffersink")]
    for node, following in zip([source, *nodes], nodes, strict=False):
        node.link_to(following)
    graph.configure()
    graph.push(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"))
    return graph.pull().to_ndarray()


def lavfi(name, height, width):
    """Return the first frames (4, H, W, 3) of a source of FFmpeg's."""
    graph = av.filter.Graph()
    source = graph.add(name, f"size={width}x{height}")
    kind, sink = graph.add("format", "rgb24"), graph.add("buffersink")
    source.link_to(kind)
    kind.link_to(sink)
    graph.configure()
    return np.stack([graph.pull().to_ndarray() for _ in range(4)])


def box(name, payload):
    return struct.pack(">I4s", 8 + len(payload), name) + payload


def spherical_boxes(projection, stereo=0):
    """Boxes st3d and sv3d of Spherical Video V2."""
    head = box(b"svhd", bytes(4) + b"test\0") + box(
        b"proj", box(b"prhd", bytes(16)) + box(projection[0], bytes(4) + projection[1])
    )
    return box(b"st3d", bytes(4) + bytes([stereo])) + box(b"sv3d", head)


SAMPLE_ENTRY = (b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")


def insert_boxes(path, boxes, within=SAMPLE_ENTRY):
    """Append boxes to the sample entry of an mp4 file whose index lies at its end."""
    data = bytearray(path.read_bytes())
    places = [data.index(b"moov") - 4]
    for name in within:
        places.append(data.index(name, places[-1]) - 4)
    sizes = [struct.unpack_from(">I", data, place)[0] for place in places]
    for place, size in zip(places, sizes, strict=True):
        struct.pack_into(">I", data, place, size + len(boxes))
    end = places[-1] + sizes[-1]
    data[end:end] = boxes
    path.write_bytes(data)


EQUI = (b"equi", bytes(16))


def set_matrix(path, matrix):
    """Write the display matrix (a, b, c, d) into the header of an mp4 file's only track."""
    data = bytearray(path.read_bytes())
    a, b, c, d = (round(65536 * value) for value in matrix)
    place = data.index(b"tkhd") + 4 + 4 + 20 + 16
    assert struct.unpack_from(">9i", data, place)[8] == 1 << 30
    struct.pack_into(">9i", data, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def write_streams(path, streams):
    """Write several pictures as the streams of one mp4 file."""
    with av.open(str(path), "w", format="mp4") as container:
        tracks = [container.add_stream("libx264", rate=25) for _ in streams]
        for track, frames in zip(tracks, streams, strict=True):
            track.height, track.width = frames.shape[1:3]
            track.pix_fmt = "yuv420p"
        for i in range(len(streams[0])):
            for track, frames in zip(tracks, streams, strict=True):
                frame = av.VideoFrame.from_ndarray(frames[i], format="rgb24")
                frame.pts = i
                container.mux(track.encode(frame))
        for track in tracks:
            container.mux(track.encode(None))
