"""Many channels in every codec and container: a crash of the interpreter fails the test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ambikit
from tests.ambikit.media import chord, make, pitches

REPOSITORY = Path(__file__).resolve().parents[2]

SCRIPT = """
import itertools, sys
import ambikit
import numpy as np
from media import chord, make, pitches

def check(name, x, codec, layout=None, exact=True, **how):
    print(name, codec, len(x), how, flush=True)
    make(name, x, codec, layout, **how)
    about = ambikit.info(name)
    assert about.channels == len(x), about
    assert abs(about.frames - x.shape[1]) <= (0 if exact else 4096), about
    if about.convention == "ambix":
        y, _ = ambikit.read(name)
        if exact:
            np.testing.assert_allclose(y, x, atol=1 / 128 if codec == "pcm_s8" else 1 / 32768)
        np.testing.assert_array_equal(pitches(y), pitches(x))
"""
CODECS = {
    "long": """
# libsndfile's Vorbis took room on the stack for all the sound at once: a minute ended the process
x = np.zeros((4, 4_000_000), np.float32)
x[:, -4800:] = chord(4)
for subtype in ("VORBIS", "OPUS"):
    print(subtype, flush=True)
    ambikit.write("a.ogg", x, 48000, subtype=subtype)
    y, _ = ambikit.read("a.ogg", start=(x.shape[1] - 4800) / 48000)
    np.testing.assert_array_equal(pitches(y), pitches(chord(4)))
""",
    "layouts": """
import struct
tags = [struct.pack(">III", tag << 16 | 4, 0, 0) for tag in (107, 108, 147, 190, 191)]
# FFmpeg keeps a list of channels; freeing it twice ended the process
labels = [200, 202, 203, 201], [131072, 131073, 131074, 131075], [1, 2, 33, 34], [3, 200, 1, 400]
tags += [struct.pack(">III", 0, 0, 4) + b"".join(struct.pack(">I16x", k) for k in four)
         for four in labels]
for payload in tags:
    make("a.mov", chord(4), "pcm_f32le", "4.0")
    data = open("a.mov", "rb").read()
    at = data.index(b"chan") - 4
    box = struct.pack(">I4sI", 12 + len(payload), b"chan", 0) + payload
    grown = len(box) - struct.unpack_from(">I", data, at)[0]
    made = bytearray(data[:at] + box + data[at - grown + len(box):])
    end = 0
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"lpcm", b"fl32"):
        start = made.find(name, end) - 4
        if start >= 0:
            struct.pack_into(">I", made, start, struct.unpack_from(">I", made, start)[0] + grown)
            end = start + 8
    open("a.mov", "wb").write(made)
    print(payload.hex(), ambikit.info("a.mov").channel_layout, flush=True)
    for _ in range(3):
        x, _ = ambikit.read("a.mov", convention="none")
        np.testing.assert_array_equal(x, chord(4))
""",
    "wavpack": """
for channels in (4, 7, 8, 9, 16, 24, 25):
    for form in ("s16p", "s32p", "fltp"):
        for name in ("a.mkv", "a.wv"):
            check(name, chord(channels), "wavpack", sample_format=form)
""",
    "pcm": """
for channels in (4, 8, 9, 24, 81):
    for codec in ("pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_f64le"):
        for name in ("a.mkv", "a.mov", "a.nut"):
            check(name, chord(channels), codec)
    for codec in ("pcm_s16be", "pcm_u16le", "pcm_s8", "pcm_s64le")[: 4 if channels < 65 else 3]:
        form = "s64" if codec == "pcm_s64le" else None
        check("a.nut", chord(channels), codec, sample_format=form)
""",
    "lossless": """
for channels, layout in ((4, "4.0"), (6, "5.1"), (8, "7.1")):
    for name in ("a.mkv", "a.mp4"):
        check(name, chord(channels), "flac", layout)
    for name in ("a.m4a", "a.mov", "a.mkv"):
        if layout != "7.1":
            check(name, chord(channels), "alac", layout)
    check("a.tta", chord(channels), "tta", layout)
""",
    "lossy": """
for channels, layout in ((4, "4.0"), (6, "5.1"), (7, "6.1"), (8, "7.1")):
    # FFmpeg 9 refuses the transport streams of eight AAC channels that it writes itself.
    for name in ("a.mkv", "a.mp4", "a.mov", "a.nut", *(["a.ts"] if channels < 8 else [])):
        if layout != "6.1":
            check(name, chord(channels), "aac", layout, exact=False)
    layout = {"4.0": "quad"}.get(layout, layout)
    for name in ("a.mkv", "a.webm", "a.opus", "a.nut", *(["a.ts"] if layout != "6.1" else [])):
        check(name, chord(channels), "libopus", layout, exact=False)
for channels in (8, 9, 16):
    for family in ("255", "2"):
        if family == "255" or channels != 8:
            order = f"ambisonic {int(channels ** 0.5) - 1}" if family == "2" else None
            for name in ("a.mkv", "a.webm", "a.opus", "a.mp4"):
                check(name, chord(channels), "libopus", order, exact=False,
                      options={"mapping_family": family})
""",
}


@pytest.mark.parametrize("codec", CODECS)
def test_many_channels(tmp_path: Path, codec: str) -> None:
    """The samples, or the pitch of each channel, are those that were encoded."""
    pytest.importorskip("av")
    paths = os.pathsep.join(map(str, [REPOSITORY, REPOSITORY / "tests" / "ambikit"]))
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", SCRIPT + CODECS[codec]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-200:] + run.stderr[-2000:]


def test_aac_in_flv_begins_with_an_empty_packet(tmp_path: Path) -> None:
    x = chord(4, 48000)
    make(tmp_path / "a.flv", x, "aac", "4.0")
    make(tmp_path / "a.mka", x, "aac", "4.0")
    got, expected = (ambikit.read(tmp_path / name)[0] for name in ("a.flv", "a.mka"))
    assert pitches(got).tolist() == [300, 400, 500, 600]
    # Matroska states the encoder's lead of a block; FLV cannot, and gives it as sound.
    np.testing.assert_array_equal(got[:, 1024:49024], expected[:, :48000])
    part = ambikit.read(tmp_path / "a.flv", start=0.4, duration=0.3)[0]
    np.testing.assert_array_equal(part, got[:, 19200:33600])
