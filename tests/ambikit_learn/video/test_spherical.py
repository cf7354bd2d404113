"""Projections that files state: boxes, matrices, XML, meshes; one eye and cubemaps are read."""

from __future__ import annotations

import struct
import zlib

import av
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ambikit_learn.sphere.projection import (
    EAC_PADDING,
    FrameLayout,
    first_eye,
)
from ambikit_learn.video.files import read_frames, read_layout, write_video
from ambikit_learn.video.spherical import PartialSphereError, mesh_layout
from tests.ambikit_learn.sphere.panoramas import (
    CAMERAS,
    EAC,
    EQUI,
    ROWS,
    box,
    directions,
    insert_boxes,
    render,
    scene,
    set_matrix,
    spherical_boxes,
    write_streams,
)


def remux(path, target, tags=None):
    """Copy an mp4 file to another container, its metadata with it."""
    with av.open(str(path)) as old, av.open(str(target), "w", options={"strict": "-1"}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        stream.metadata.update(tags or {})
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)


CUBE = (b"cbmp", struct.pack(">II", 0, 4))


class TestMetadata:
    @pytest.fixture
    def video(self, tmp_path):
        path = tmp_path / "a.mp4"
        write_video(path, np.full((5, 64, 96, 3), 90, np.uint8), 25.0)
        return path

    @pytest.mark.parametrize(
        ("projection", "stereo", "layout"),
        [
            (EQUI, 0, FrameLayout()),
            (EQUI, 1, FrameLayout(stereo="top-bottom")),
            (EQUI, 2, FrameLayout(stereo="left-right")),
            (CUBE, 0, FrameLayout("cubemap", padding=4)),
            (CUBE, 1, FrameLayout("cubemap", "top-bottom", padding=4)),
        ],
    )
    def test_is_read(self, video, projection, stereo, layout):
        insert_boxes(video, spherical_boxes(projection, stereo))
        assert read_layout(video) == layout
        remux(video, video.with_suffix(".mkv"))
        assert read_layout(video.with_suffix(".mkv")) == layout
        assert len(read_frames(video)) == 5  # the file is as good as before

    def test_nothing_is_stated(self, video):
        assert read_layout(video) is None

    @pytest.mark.parametrize(
        ("matrix", "shown"),
        [
            ((1, 0, 0, 1), lambda x: x),
            ((-1, 0, 0, -1), lambda x: x[::-1, ::-1]),
            ((-1, 0, 0, 1), lambda x: x[:, ::-1]),
            ((1, 0, 0, -1), lambda x: x[::-1]),
            # Clockwise, and back: of ISO/IEC 14496-12, x' = a x + c y, y' = b x + d y
            ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),
            ((0, -1, 1, 0), lambda x: np.rot90(x)),
        ],
    )
    def test_display_matrices_are_applied(self, tmp_path, matrix, shown):
        picture = scene(directions(64, 96))
        path = tmp_path / "a.mp4"
        write_video(path, np.tile(picture, (5, 1, 1, 1)), 25.0, quality=1)
        set_matrix(path, matrix)
        wanted = shown(picture)
        found = read_frames(path, duration=0.04, size=wanted.shape[:2])[0]
        assert np.abs(found.astype(int) - wanted).mean() < 8  # the chroma is halved
        assert read_frames(path, duration=0.04)[0].shape == wanted.shape
        layout = read_layout(path)
        assert (layout is None) == (matrix == (1, 0, 0, 1))
        if layout is not None:
            assert not layout.upright
            assert layout.assumed

    def test_other_turns_are_refused(self, video):
        set_matrix(video, (0.8, 0.6, -0.6, 0.8))
        with pytest.raises(PartialSphereError, match=r"a\.mp4: its display matrix .* no turn by a"):
            read_layout(video)

    @pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
    def test_spherical_video_v1(self, tmp_path, suffix):
        """Its XML, of which FFmpeg reads neither the crop nor, in Matroska, anything."""
        whole = "<GSpherical:FullPanoWidthPixels>96</GSpherical:FullPanoWidthPixels>"
        crop = (
            f"{whole}<GSpherical:CroppedAreaImageWidthPixels>48"
            "</GSpherical:CroppedAreaImageWidthPixels>"
        )
        stereo = "<GSpherical:StereoMode>top-bottom</GSpherical:StereoMode>"
        cube = "<GSpherical:ProjectionType>cubemap</GSpherical:ProjectionType>"
        path = tmp_path / f"a{suffix}"

        def written(text):
            xml = f"<rdf:SphericalVideo><GSpherical:Spherical>true</GSpherical:Spherical>{text}"
            plain = tmp_path / "plain.mp4"
            write_video(plain, np.full((5, 64, 96, 3), 90, np.uint8), 25.0)
            if suffix == ".mp4":
                payload = bytes.fromhex("ffcc8263f8554a938814587a02521fdd") + xml.encode()
                insert_boxes(plain, box(b"uuid", payload), (b"trak",))
                plain.replace(path)
            else:
                remux(plain, path, {"SPHERICAL-VIDEO": xml})
            return path

        assert read_layout(written(whole)) == FrameLayout()
        assert read_layout(written(stereo)) == FrameLayout(stereo="top-bottom")
        with pytest.raises(PartialSphereError, match=r"a part of a panorama \(48 of 96 pixels"):
            read_layout(written(crop))
        with pytest.raises(PartialSphereError, match="states the projection 'cubemap'"):
            read_layout(written(cube))

    def test_two_streams_of_a_camera(self, tmp_path):
        """Decoded together, in two orders of their packets; two round pictures are refused."""
        path = tmp_path / "GS010001.360"
        ramp = np.arange(5, dtype=np.uint8)[:, None, None, None] * 40
        front, back = (np.full((5, 736, 2272, 3), c, np.uint8) + ramp for c in (10, 60))
        write_streams(path, [front, back])
        layout = read_layout(path)
        assert layout == FrameLayout("gopro-max")
        found = read_frames(path, layout=layout, size=(48, 96), rate=25.0, duration=0.2)
        means = found[:, 24, [48, 0]].mean(axis=-1)
        wanted = np.stack([front, back], axis=1)[:, :, 0, 0, 0]
        assert np.abs(means - wanted).max() < 4
        write_streams(tmp_path / "round.insv", [front[:, :, :736], back[:, :, :736]])
        with pytest.raises(PartialSphereError, match="two pictures of 736 × 736, as of two lenses"):
            read_layout(tmp_path / "round.insv")

    def test_a_part_of_the_sphere_is_refused(self, video):
        quarter = struct.pack(">4I", 0, 0, 2**30, 2**30)
        insert_boxes(video, spherical_boxes((b"equi", quarter)))
        with pytest.raises(PartialSphereError, match=r"a\.mp4: the file states a part of an equi"):
            read_layout(video)


def eac_vertices(padding=2, height=1080, width=1920):
    """Points (x, y, z, u, v) of an equi-angular cubemap, in the axes of OpenGL."""
    found = []
    for i, row in enumerate(ROWS["eac"]):
        for j, (name, turns) in enumerate(row):
            rays = np.rot90(rays_of(name, np.linspace(-1, 1, 9) * np.pi / 4), turns)
            s, t = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9))
            u = (padding + (width - 2 * padding) * (j + s) / 3) / width
            v = (padding + (height / 2 - 2 * padding) * t + i * height / 2) / height
            x, y, z = np.moveaxis(rays, -1, 0)
            found.append(np.stack([-y, z, -x, u, 1 - v], axis=-1).reshape(-1, 5))
    return np.concatenate(found)


def rays_of(name, angles):
    """Directions (n, n, 3) of a camera at angles to the right and downwards."""
    right, down = np.meshgrid(np.tan(angles), np.tan(angles))
    rays = np.stack([np.ones_like(right), -right, -down], axis=-1)
    yaw, pitch = CAMERAS[name]
    turned = Rotation.from_euler("ZY", [yaw, pitch], degrees=True).apply(rays.reshape(-1, 3))
    return (turned / np.linalg.norm(turned, axis=1, keepdims=True)).reshape(rays.shape)


def fisheye_vertices():
    """Points of one fisheye picture of 180°, as in VR180."""
    angle, turn = np.meshgrid(np.linspace(0, np.pi / 2, 9), np.linspace(0, 2 * np.pi, 17))
    x, y = np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn)
    r = angle / np.pi
    u, v = 0.5 + r * np.cos(turn), 0.5 + r * np.sin(turn)
    return np.stack([x, y, -np.cos(angle), u, v], axis=-1).reshape(-1, 5)


def mesh_payload(vertices, deflated):
    """Payload of a box mshp, by the words of the specification, one bit at a time."""
    coordinates, places = np.unique(vertices.astype(">f4").ravel(), return_inverse=True)
    places = places.reshape(-1, 5)
    bits = int(np.ceil(np.log2(2 * len(coordinates))))
    last, digits = [0] * 5, ""
    for vertex in places.tolist():
        for column, index in enumerate(vertex):
            n = index - last[column]
            digits += format(2 * n if n >= 0 else -2 * n - 1, f"0{bits}b")
            last[column] = index
    digits += "1" * (-len(digits) % 8)
    packed = bytes(int(digits[i : i + 8], 2) for i in range(0, len(digits), 8))
    counts = [struct.pack(">I", n) for n in (len(coordinates), len(places), 0)]
    data = box(b"mesh", counts[0] + coordinates.tobytes() + counts[1] + packed + counts[2])
    if deflated:
        coder = zlib.compressobj(wbits=-15)
        data = coder.compress(data) + coder.flush()
    return bytes(4) + b"crc-" + (b"dfl8" if deflated else b"raw ") + data


def element(name, payload, *, sized=True):
    """Element of Matroska; without a size it goes on to the end."""
    size = struct.pack(">Q", len(payload) | 1 << 56) if sized else b"\xff"
    return bytes.fromhex(name) + size + payload


def matroska(payload):
    """The part of a Matroska file that says how its second track is projected."""
    projection = element("7670", element("7671", b"\3") + element("7672", payload))
    tracks = element("ae", element("d7", b"\1")) + element("ae", element("e0", projection))
    segment = element("ec", bytes(7)) + element("1654ae6b", tracks)
    return element("1a45dfa3", b"webm") + element("18538067", segment, sized=False)


class TestMesh:
    """YouTube's files say by a mesh how they are projected, which FFmpeg passes over."""

    @pytest.fixture
    def video(self, tmp_path):
        path = tmp_path / "a.mp4"
        write_video(path, np.full((5, 64, 96, 3), 90, np.uint8), 25.0)
        return path

    @pytest.mark.parametrize("name", [b"mshp", b"ytmp"])
    @pytest.mark.parametrize("deflated", [False, True])
    def test_of_an_equi_angular_cubemap(self, video, name, deflated):
        payload = mesh_payload(eac_vertices(), deflated)
        insert_boxes(video, spherical_boxes((name, payload[4:])))
        assert read_layout(video) == EAC

    def test_of_two_eyes(self, video):
        payload = mesh_payload(eac_vertices(), True)
        insert_boxes(video, spherical_boxes((b"mshp", payload[4:]), stereo=2))
        assert read_layout(video) == FrameLayout("eac", "left-right", EAC_PADDING)

    def test_of_another_projection_is_refused(self, video):
        payload = mesh_payload(fisheye_vertices(), True)
        insert_boxes(video, spherical_boxes((b"mshp", payload[4:])))
        with pytest.raises(PartialSphereError, match="no equi-angular cubemap"):
            read_layout(video)

    @pytest.mark.parametrize("keep", [11, 40, 2000])
    def test_that_is_cut_short_is_refused(self, video, keep):
        payload = mesh_payload(eac_vertices(), False)[:keep]
        insert_boxes(video, spherical_boxes((b"mshp", payload[4:])))
        with pytest.raises(PartialSphereError, match="mesh is damaged"):
            read_layout(video)

    def test_in_matroska(self, tmp_path):
        path = tmp_path / "a.webm"
        path.write_bytes(matroska(mesh_payload(eac_vertices(), True)))
        assert mesh_layout(path) == EAC
        path.write_bytes(matroska(bytes(20)))  # private data of an equirectangular projection
        assert mesh_layout(path) is None
        whole = matroska(mesh_payload(eac_vertices(), False))
        for end in range(whole.index(b"raw ")):
            path.write_bytes(whole[:end])
            assert mesh_layout(path) is None
        path.write_bytes(whole[:-500])
        with pytest.raises(PartialSphereError, match="mesh is damaged"):
            mesh_layout(path)

    def test_that_is_not_there(self, video, test_data):
        assert mesh_layout(video) is None
        remux(video, video.with_suffix(".mkv"))
        assert mesh_layout(video.with_suffix(".mkv")) is None
        assert mesh_layout(test_data / "yt360/video/kqAZkf5Odyw-80.mp4") is None


class TestFrames:
    """What `read_frames` gives of files that are not equirectangular."""

    wanted = scene(directions(48, 96)).astype(int)

    def written(self, path, frame):
        write_video(path, [frame] * 4, 8.0, quality=4)
        return path

    def test_one_eye(self, tmp_path):
        left, right = scene(directions(96, 192)), np.zeros((96, 192, 3), np.uint8)
        for axis, stereo in enumerate(("top-bottom", "left-right")):
            frame = np.concatenate([left, right], axis=axis)
            assert (first_eye(frame, stereo) == left).all()
            path = self.written(tmp_path / f"{stereo}.mp4", frame)
            found = read_frames(path, size=(48, 96), layout=FrameLayout(stereo=stereo))
            assert found.shape == (4, 48, 96, 3)
            assert np.abs(found - self.wanted).mean() < 5
            assert read_frames(path, layout=FrameLayout(stereo=stereo)).shape[1:3] == (96, 192)

    @pytest.mark.parametrize("layout", [EAC, FrameLayout("cubemap", "left-right", padding=2)])
    def test_cubemaps(self, tmp_path, layout):
        frame = render(scene, layout.projection, 64, layout.padding)
        if layout.stereo == "left-right":
            frame = np.concatenate([frame, np.zeros_like(frame)], axis=1)
        path = self.written(tmp_path / "a.mp4", frame)
        found = read_frames(path, size=(48, 96), layout=layout)
        assert np.abs(found - self.wanted).mean() < 5
