"""Render a recording to ears and loudspeakers, and measure what is heard.

python docs/listening.py RECORDING FOLDER [--start S] [--duration S] writes to FOLDER

- binaural.wav: two ears, the listener looking ahead;
- turning.wav: two ears, the head turning once round to the left;
- 7.1.4.wav: twelve channels in the order of BS.2051, two bands and a low-frequency channel;
- heard.md: levels, differences in time and level between the ears, and the loudspeakers, of each
  second whose sound comes from one direction. With --write it goes into docs/decoding.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import ambikit

LAYOUT = "7.1.4"
BEGIN, END = "<!-- listening -->\n", "<!-- /listening -->\n"
ROWS = 8
HEAD = (
    "| second | sound from | diffuseness | left - right | left leads by | loudest loudspeakers |\n"
    "|---|---|---|---|---|---|\n"
)


def main() -> None:
    """Write the files, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--start", type=float, default=0.0, help="seconds")
    parser.add_argument("--duration", type=float, help="seconds; by default to the end")
    parser.add_argument("--convention", help="of the recording, if it does not say: fuma, ...")
    parser.add_argument("--write", action="store_true", help="the table into docs/decoding.md")
    options = parser.parse_args()
    x, rate = ambikit.read(
        options.recording,
        start=options.start,
        duration=options.duration,
        convention=options.convention,
    )
    ears = ambikit.decode_binaural(x, rate)
    speakers = ambikit.decode(x, LAYOUT, dual_band=800, lfe=True, sample_rate=rate)
    turning = ambikit.decode_binaural(x, rate, yaw=[0, 120, 240, 360], degrees=True)
    gain = 10 ** ((-23 - float(ambikit.loudness(ears, rate))) / 20)
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, sound in (("binaural", ears), ("turning", turning), (LAYOUT, speakers)):
        level = min(gain, 0.99 / np.abs(sound).max())
        ambikit.write(options.folder / f"{name}.wav", level * sound, rate, convention="none")
    text = described(x, ears, speakers, rate)
    (options.folder / "heard.md").write_text(text, encoding="utf-8")
    print(text)
    if options.write:
        page = Path(__file__).with_name("decoding.md")
        before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        page.write_text(before + BEGIN + text + END + rest.partition(END)[2], encoding="utf-8")


def described(x: np.ndarray, ears: np.ndarray, speakers: np.ndarray, rate: int) -> str:
    """Return a table of the seconds that have the clearest directions, and the loudness."""
    rows, clear = [], []
    layout = ambikit.loudspeaker_layout(LAYOUT, degrees=True)
    places = np.delete(np.arange(len(speakers)), 3)  # without the low-frequency channel
    for second in range(x.shape[1] // rate):
        span = slice(second * rate, (second + 1) * rate)
        found = ambikit.localize(x[:, span], rate, n_sources=1, degrees=True)
        if not len(found):
            continue
        diffuse = float(ambikit.diffuseness(x[:, span], rate, time_constant=0.2)[-1])
        power = (speakers[places, span] ** 2).mean(axis=1)
        loudest = np.argsort(-power)[:2]
        names = " and ".join(f"({layout[i, 0]:+.0f}°, {layout[i, 1]:+.0f}°)" for i in loudest)
        level, lead = differences(ears[:, span], rate)
        clear.append(diffuse)
        rows.append(
            f"| {second} | {found.azimuth[0]:+.0f}°, {found.elevation[0]:+.0f}° | {diffuse:.2f} | "
            f"{level:+.1f} dB | {1e6 * lead:+.0f} µs | {names} |\n"
        )
    shown = [rows[k] for k in sorted(np.argsort(clear)[:ROWS])]
    loud = ambikit.loudness(ears, rate)
    bed = ambikit.loudness(speakers, rate, loudspeakers=LAYOUT, lfe=True)
    return (
        f"{HEAD}{''.join(shown)}\nAs decoded: two ears {loud:.1f} LUFS, {LAYOUT} {bed:.1f} LUFS.\n"
    )


def differences(ears: np.ndarray, rate: int) -> tuple[float, float]:
    """Return by how much the left ear is louder, in dB, and leads below 1.5 kHz, in seconds."""
    spectra = np.fft.rfft(ears.astype(float), 2 * ears.shape[1])
    frequency = np.fft.rfftfreq(2 * ears.shape[1], 1 / rate)
    level = 10 * np.log10((np.abs(spectra) ** 2)[:, frequency > 200].sum(axis=1))
    low = np.where((frequency > 100) & (frequency < 1500), 1.0, 0.0)
    match = np.fft.irfft(spectra[1] * spectra[0].conj() * low)
    reach = rate // 1000  # no head is larger than a millisecond
    around = np.concatenate([match[-reach:], match[: reach + 1]])
    return float(level[0] - level[1]), float(around.argmax() - reach) / rate


if __name__ == "__main__":
    main()
