"""Cubemaps and two eyes in a frame, against renderings of a sphere and FFmpeg's own filter."""

from __future__ import annotations

import json
import struct
import zlib
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

import ambikit
from ambikit import InputError
from ambikit_learn.data.format import read_manifest
from ambikit_learn.preparation.command import prepare
from ambikit_learn.sphere.equirect import direction_to_pixel, gnomonic, pixel_to_direction
from ambikit_learn.sphere.projection import (
    EAC_PADDING,
    FrameLayout,
    cubemap_to_equirectangular,
    equirectangular_size,
    first_eye,
)
from ambikit_learn.sphere.recognition import NotASphereError, recognise
from ambikit_learn.video.coding import decode_frames
from ambikit_learn.video.files import read_frames, read_layout, resize, write_video
from ambikit_learn.video.spherical import PartialSphereError, mesh_layout

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


class TestCubemaps:
    @pytest.mark.kernel
    @pytest.mark.parametrize(
        ("layout", "side"),
        [
            (EAC, 64),
            (FrameLayout("eac"), 40),
            (FrameLayout("cubemap"), 64),
            (FrameLayout("cubemap", padding=3), 70),
        ],
        ids=str,
    )
    def test_every_pixel_shows_its_direction(self, layout, side):
        """Within half a pixel, also at the edges of faces and at the poles."""
        frame = render(coded, layout.projection, side, layout.padding)
        found = cubemap_to_equirectangular(frame, layout, (48, 96)) / 127.5 - 1
        found /= np.linalg.norm(found, axis=-1, keepdims=True)
        apart = np.rad2deg(np.arccos(np.clip((found * directions(48, 96)).sum(-1), -1, 1)))
        # A pixel is 3.75° wide at the horizon; the colours tell a direction to about 0.4°.
        assert apart.max() < 0.5 * 360 / 96
        assert apart.mean() < 0.5

    @pytest.mark.kernel
    def test_faces_need_not_be_square(self):
        """YouTube squeezes three by two faces into 16:9."""
        frame = render(coded, "eac", 64, 0)
        squeezed = resize(frame, (108, 192))
        found = cubemap_to_equirectangular(squeezed, FrameLayout("eac"), (48, 96))
        wanted = cubemap_to_equirectangular(frame, FrameLayout("eac"), (48, 96))
        assert np.abs(found.astype(int) - wanted).max() <= 8

    @pytest.mark.kernel
    def test_a_coarse_result_averages(self):
        """Noise of σ = 60 keeps its mean and loses its contrast."""
        noise = np.random.default_rng(0).normal(128, 30, (128, 192, 3)).clip(0, 255)
        found = cubemap_to_equirectangular(noise.astype(np.uint8), FrameLayout("eac"), (16, 32))
        assert found.mean() == pytest.approx(127.5, abs=1)
        assert found.std() < 10

    @pytest.mark.kernel
    def test_white_stays_white_in_every_frame(self):
        frames = np.full((2, 3, 32, 48, 3), 255, np.uint8)
        frames[1] = 0
        found = cubemap_to_equirectangular(frames, FrameLayout("cubemap"), (20, 40))
        assert found.shape == (2, 3, 20, 40, 3)
        assert (found[0] == 255).all()
        assert (found[1] == 0).all()

    def test_the_size_that_keeps_the_detail(self):
        frame = render(coded, "eac", 32, 0)
        assert cubemap_to_equirectangular(frame, FrameLayout("eac")).shape == (64, 128, 3)
        assert equirectangular_size(1920, 3840, FrameLayout(stereo="top-bottom")) == (960, 3840)
        assert equirectangular_size(1080, 3840, FrameLayout("eac", "left-right")) == (1280, 2560)

    @pytest.mark.parametrize(
        ("layout", "there", "back"),
        [
            (EAC, "e:eac:w=960:h=540", "eac:e:w=960:h=480"),
            # FFmpeg's up and down stand as the cameras do: half a turn from the specification.
            (
                FrameLayout("cubemap"),
                "e:c3x2:w=960:h=640:out_frot=002200",
                "c3x2:e:w=960:h=480:in_frot=002200",
            ),
        ],
        ids=["eac", "cubemap"],
    )
    def test_ffmpeg_agrees(self, test_data, layout, there, back):
        """A real frame turned into a cubemap by FFmpeg: both turn it back alike."""
        path = test_data / "yt360/video/kqAZkf5Odyw-80.mp4"
        frame = read_frames(path, duration=0.1, size=(480, 960))[0]
        cubemap = v360(frame, there)
        wanted = v360(cubemap, back).astype(int)
        found = cubemap_to_equirectangular(cubemap, layout, (480, 960))
        assert np.abs(found - wanted).mean() < 0.7
        if layout == EAC:
            unpadded = cubemap_to_equirectangular(cubemap, FrameLayout("eac"), (480, 960))
            assert np.abs(unpadded - wanted).mean() > 2

    def test_unknown_names(self):
        with pytest.raises(InputError, match="unknown projection 'fisheye'"):
            FrameLayout("fisheye")
        with pytest.raises(InputError, match="unknown stereo 'anaglyph'"):
            FrameLayout(stereo="anaglyph")


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


class TestRecognise:
    """Pictures of spheres, and what FFmpeg makes of them, at the size of prepared frames."""

    SIZE = (160, 320)

    @pytest.fixture(scope="class", params=["yt360", "sphere360", "room", "painted"])
    @staticmethod
    def sphere(request, test_data):
        if request.param == "painted":
            return scene(directions(480, 960))[None]
        if request.param == "room":
            picture = Image.open(test_data / "frames/living-room.jpg").convert("RGB")
            return resize(np.asarray(picture)[None], (480, 960))
        name = {
            "yt360": "yt360/video/kqAZkf5Odyw-80.mp4",
            "sphere360": "sphere360/media/V_To4k9AJXc_20.mkv",
        }[request.param]
        return read_frames(test_data / name, duration=3.0, rate=1.0, size=(480, 960))

    def seen(self, frames):
        return recognise(resize(frames, self.SIZE), frames.shape[1:3])

    @pytest.mark.parametrize(
        ("options", "layout"),
        [
            ("e:e:w=960:h=480", FrameLayout()),
            ("e:eac:w=960:h=540", EAC),
            ("e:c3x2:w=960:h=640", FrameLayout("c3x2")),
            ("e:c3x2:w=960:h=640:out_frot=002200", FrameLayout("cubemap")),
            ("e:c6x1:w=1920:h=320", FrameLayout("c6x1")),
            ("e:c1x6:w=320:h=1920", FrameLayout("c1x6")),
        ],
    )
    def test_layouts_of_ffmpeg(self, sphere, options, layout):
        found = self.seen(np.stack([v360(frame, options) for frame in sphere]))
        assert found == layout
        if layout != FrameLayout():
            assert not found.assumed

    def test_two_eyes(self, sphere):
        other = np.roll(sphere, 7, axis=2)
        top = self.seen(np.concatenate([sphere, other], axis=1))
        assert (top.projection, top.stereo) == ("equirectangular", "top-bottom")
        left = self.seen(np.concatenate([sphere, other], axis=2))
        assert (left.projection, left.stereo) == ("equirectangular", "left-right")

    def test_half_of_a_sphere_for_each_eye_is_refused(self, sphere):
        half = np.concatenate([sphere[:, :, 240:720], np.roll(sphere, 9, 2)[:, :, 240:720]], axis=2)
        with pytest.raises(NotASphereError, match="do not meet, as in VR180"):
            self.seen(half)

    def test_dual_fisheye_is_refused(self, sphere):
        frames = np.stack([v360(frame, "e:dfisheye:w=960:h=480") for frame in sphere])
        down, across = np.mgrid[0:480, 0:960]
        outside = np.hypot(down - 239.5, across % 480 - 239.5) > 240
        frames[:, outside] = 6
        with pytest.raises(NotASphereError, match="dual fisheye"):
            self.seen(frames)

    @pytest.mark.parametrize(
        ("height", "width"), [(480, 480), (480, 200), (320, 976), (100, 700), (700, 100)]
    )
    def test_the_shape_alone_contradicts(self, sphere, height, width):
        with pytest.raises(NotASphereError, match=f"frames of {width} × {height} are neither"):
            self.seen(resize(sphere, (height, width)))

    def test_flat_pictures_are_refused_or_noted(self, sphere):
        said = []
        for azimuth in range(0, 360, 30):
            view = resize(gnomonic(sphere, azimuth, 0, 90, 58, 320, degrees=True), (270, 480))
            try:
                said.append(self.seen(view).projection)
            except NotASphereError as error:
                said.append(str(error).partition(":")[0])
        refusal = "the left and right side of its picture do not meet, as in a flat picture"
        assert set(said) == {"equirectangular", refusal}
        assert said.count(refusal) >= 4

    def test_what_is_known_of_the_eyes_is_kept(self, sphere):
        found = recognise(resize(sphere, self.SIZE), (960, 960), "top-bottom")
        assert found == FrameLayout(stereo="top-bottom")

    def test_without_contrast_it_is_assumed(self):
        noise = np.random.default_rng(0).integers(0, 256, (4, 80, 160, 3), dtype=np.uint8)
        bars = np.tile(np.repeat(np.arange(0, 256, 16, dtype=np.uint8), 10)[:, None], (2, 80, 1, 3))
        framed = noise.copy()
        framed[:, :, :10] = framed[:, :, -10:] = 0
        for frames in (np.zeros_like(noise), np.full_like(noise, 90), bars, framed):
            found = recognise(frames, (80, 160))
            assert found == FrameLayout()
            assert found.assumed


class TestGoProMax:
    """Two streams, each a row of faces of which the outer ones repeat 64 pixels in their middle."""

    @staticmethod
    def streams(paint, width=4096):
        side, middle, twice = {4096: (1376, 1344, 64), 2272: (768, 736, 32)}[width]
        scale = 4
        rows = []
        for row in ROWS["eac"]:
            faces = []
            for number, (name, turns) in enumerate(row):
                full = face(paint, name, turns, middle // scale, 0, equiangular=True)
                if number != 1:
                    inner = (side - twice) // scale
                    half, more = inner // 2, twice // scale
                    narrow = resize(full, (middle // scale, inner))
                    # Beyond the middle each lens shows a little more, here of another colour
                    extra = np.full((middle // scale, more // 2, 3), 255, np.uint8)
                    full = np.concatenate([narrow[:, :half], extra, extra, narrow[:, half:]], 1)
                faces.append(full)
            rows.append(np.concatenate(faces, axis=1))
        return rows

    @pytest.mark.kernel
    def test_directions(self):
        front, back = self.streams(coded)
        assert front.shape == (336, 1024, 3)
        frame = np.concatenate([front, back])
        found = cubemap_to_equirectangular(frame, FrameLayout("gopro-max"), (48, 96)) / 127.5 - 1
        found /= np.linalg.norm(found, axis=-1, keepdims=True)
        apart = np.rad2deg(np.arccos(np.clip((found * directions(48, 96)).sum(-1), -1, 1)))
        assert np.quantile(apart, 0.98) < 0.5 * 360 / 96
        assert apart.mean() < 0.6


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


def remux(path, target, tags=None):
    """Copy an mp4 file to another container, its metadata with it."""
    with av.open(str(path)) as old, av.open(str(target), "w", options={"strict": "-1"}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        stream.metadata.update(tags or {})
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)


EQUI = (b"equi", bytes(16))
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


BRIGHTEST = """
import numpy as np
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.equirect import pixel_to_direction

class Brightest:
    name = "brightest"
    def detect(self, frames):
        found = []
        for frame in frames:
            rows, columns = np.nonzero(frame[..., 1] > 200)
            height, width = frame.shape[:2]
            u, v = (np.median(columns) + 0.5) / width, (np.median(rows) + 0.5) / height
            azimuth, elevation = np.rad2deg(pixel_to_direction(u, v))
            found.append(Boxes([azimuth], [elevation], [24], [24], [1], ["disc"]))
        return found
"""


def test_prepare_stores_equirectangular_frames_and_says_so(tmp_path, monkeypatch):
    """The disc is where it was painted, in the stored frames and for the detector."""
    azimuth, elevation = 130.0, 25.0
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "brightest_disc.py").write_text(BRIGHTEST)
    monkeypatch.syspath_prepend(str(tmp_path))
    sound = np.random.default_rng(0).standard_normal((4, 48000)).astype(np.float32) * 0.1

    def add(key, frame_of, boxes=None):
        paints = [disc(azimuth, elevation + 2 * (i % 2)) for i in range(16)]
        write_video(source / f"{key}.mp4", map(frame_of, paints), 8.0, quality=8)
        if boxes:
            insert_boxes(source / f"{key}.mp4", boxes)
        ambikit.write(source / f"{key}.wav", sound, 24000)

    equirectangular = directions(96, 192)
    add("cubemap", lambda paint: render(paint, "cubemap", 64), spherical_boxes((b"cbmp", bytes(8))))
    add("eac", lambda paint: resize(render(paint, "eac", 128, EAC_PADDING), (252, 448)))
    add("plain", lambda paint: paint(equirectangular))
    add("stretched", lambda paint: paint(directions(108, 192)))
    add(
        "two-eyes",
        lambda paint: np.tile(paint(equirectangular), (2, 1, 1)),
        spherical_boxes(EQUI, 1),
    )
    add(
        "vr180",
        lambda paint: paint(equirectangular),
        spherical_boxes((b"equi", struct.pack(">4I", 0, 0, 2**30, 2**30))),
    )

    options = {"source": "folder", "frame_size": (80, 160), "workers": 0}
    summary = prepare(source, tmp_path / "out", **options, detector="brightest_disc:Brightest")
    rows = {row["key"]: row for row in read_manifest(tmp_path / "out").to_pylist()}
    assert {key: row["notes"] for key, row in rows.items() if row["status"] == "ok"} == {
        "cubemap": ["cubemap"],
        "eac": ["equi-angular cubemap"],
        "plain": ["projection assumed"],
        "stretched": ["projection assumed"],
        "two-eyes": ["two eyes"],
    }
    assert rows["vr180"]["reason"] == "part of the sphere"
    assert summary.notes["equi-angular cubemap"] == 1

    u, v = direction_to_pixel(*np.deg2rad([azimuth, elevation + 1]))
    shard = (tmp_path / "out" / "shards" / "train-00000.tar").read_bytes()
    for key in (key for key, row in rows.items() if row["status"] == "ok"):

        def member(part, row=rows[key]):
            start = row[f"{part}_offset"]
            return shard[start : start + row[f"{part}_bytes"]]

        frames = decode_frames(member("frames"), [0, 1], 8.0)
        _, i, j = np.nonzero(frames[..., 1] > 180)
        assert abs(np.mean(j) + 0.5 - u * 160) < 1, key
        assert abs(np.mean(i) + 0.5 - v * 80) < 1, key
        (seen,) = json.loads(member("record"))["objects"]
        assert np.abs(np.array(seen["azimuth"]) - azimuth).max() < 2, key
        assert np.abs(np.array(seen["elevation"]) - elevation).max() < 2, key
