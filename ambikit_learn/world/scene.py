"""The description of a scene, drawn from a seed: numbers and names only.

Sound and picture are both computed from it, so that they agree by construction and every direction
is known. World coordinates are in metres from the camera (x, y, z with z up). The camera faces the
azimuth `heading`; all directions that this module returns are relative to the camera.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from ambikit import InputError
from ambikit_learn._typing import Floats
from ambikit_learn.world.places import PLACES, REFERENCE, Place
from ambikit_learn.world.presets import Preset

LABEL_RATE = 10.0
CLASSES = (
    "accordion",
    "bell",
    "bird",
    "clock",
    "dog",
    "drum",
    "engine",
    "knock",
    "siren",
    "speech",
    "telephone",
    "water",
)
INSTANCES = {"train": range(0, 50), "test": range(50, 70), "validation": range(70, 90)}
CLEARANCE = 0.4
# Upper bound of the decay time of low octaves: in real rooms not only the walls absorb them.
LONGEST_DECAY = 1.3
ATTEMPTS = 300
# Number of paths drawn at once; those that keep the required spacing are taken.
CANDIDATES = 40
# First number after the seed of each random stream, which keeps the streams independent.
_SCENE, _LOOKS, _VOICE, PERFORMANCE, FIELD, SURFACES = range(6)


@dataclass(frozen=True)
class Instance:
    """One individual of a class, with its own looks and voice."""

    seed: int
    label: str
    index: int

    def looks(self) -> np.random.Generator:
        """Return the random generator of its looks, in the same state each time."""
        return self._generator(_LOOKS)

    def voice(self) -> np.random.Generator:
        """Return the random generator of its voice, in the same state each time."""
        return self._generator(_VOICE)

    def _generator(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, stream, CLASSES.index(self.label), self.index])


@dataclass(frozen=True)
class Trajectory:
    """The path of an object: a straight line that turns about the camera.

    ``p(t) = Rz(spin·t) (position + velocity·t)``, with `t` in seconds from the middle of the clip,
    metres, and radians per second. An object with both rates 0 stands still, one with spin alone
    orbits, and one with velocity alone passes by.
    """

    position: tuple[float, float, float]
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spin: float = 0.0

    def at(self, times: npt.ArrayLike) -> Floats:
        """Return the positions (T, 3) at times relative to the middle of the clip."""
        t = np.asarray(times, dtype=np.float64)
        return along(np.array(self.position), np.array(self.velocity), np.array(self.spin), t)


def along(position: Floats, velocity: Floats, spin: Floats, times: Floats) -> Floats:
    """Return the positions (..., T, 3) on paths (..., 3), (..., 3) and (...) at times (T,)."""
    moved = position[..., None, :] + times[:, None] * velocity[..., None, :]
    turn = spin[..., None] * times
    cos, sin = np.cos(turn), np.sin(turn)
    x, y = moved[..., 0].copy(), moved[..., 1].copy()
    moved[..., 0] = x * cos - y * sin
    moved[..., 1] = x * sin + y * cos
    return moved


@dataclass(frozen=True)
class Object:
    """An object of the scene, which is visible, and audible if it is sounding.

    A `pulsing` object moves as if it sounded; `size` is half its height in metres; `level` is the
    level of the direct sound at its mean distance, in dB.
    """

    instance: Instance
    path: Trajectory
    size: float
    sounding: bool
    pulsing: bool
    level: float


@dataclass(frozen=True)
class Room:
    """A shoebox room around the camera.

    `walls` are the distances to +x, −x, +y, −y, +z, −z in metres; `t60` in seconds at 0.5-1 kHz;
    `direct_to_tail` in dB; `place` is a key of `PLACES`, which gives the materials of the walls.
    Under the open sky there is no ceiling and no echo from it.
    """

    walls: tuple[float, float, float, float, float, float]
    t60: float
    direct_to_tail: float
    place: str

    def __post_init__(self) -> None:
        if not (min(self.walls) > 0.0 and self.t60 > 0.0):
            raise InputError(
                f"no room has its walls at {self.walls} m and a reverberation time of {self.t60} s:"
                " all must be positive"
            )

    @property
    def kind(self) -> Place:
        """The kind of place."""
        return PLACES[self.place]

    def reflection(self) -> Floats:
        """Return the pressure reflection factors (3, 7) of side walls, ceiling, floor by octave.

        The absorption of all materials is scaled by the same power of 1 − α, so that Millington's
        ``T60 = 0.161 V / −Σ S ln(1 − α)`` gives `t60` at 0.5-1 kHz.
        """
        exponents, total = self.kind.exponents, self._absorption
        scale = 0.161 * math.prod(self._size) / (self.t60 * total[REFERENCE].mean())
        pressure: Floats = np.exp(-0.5 * scale * exponents)
        return pressure

    def decay(self) -> Floats:
        """Return the reverberation time in each octave, (7,) seconds."""
        total = self._absorption
        seconds: Floats = self.t60 * total[REFERENCE].mean() / total
        return np.minimum(seconds, LONGEST_DECAY * self.t60)

    @cached_property
    def _absorption(self) -> Floats:
        """The sum of −ln(1 − α) of the surfaces by octave, weighted with their areas."""
        x, y, z = self._size
        areas = np.array([2.0 * z * (x + y), 0.0 if self.kind.open_sky else x * y, x * y])
        total: Floats = areas @ self.kind.exponents
        return total

    @property
    def _size(self) -> tuple[float, float, float]:
        """Lengths of the room along x, y and z."""
        front, back, left, right, top, bottom = self.walls
        return front + back, left + right, top + bottom


@dataclass(frozen=True)
class Scene:
    """The full description of a clip; `ambience` is the place whose ambience is heard."""

    seed: int
    index: int
    duration: float
    heading: float
    room: Room
    objects: tuple[Object, ...]
    ambience: str
    ambience_snr: float

    def generator(self, stream: int, number: int = 0) -> np.random.Generator:
        """Return the random generator of a stream.

        A stream is the `PERFORMANCE` of an object, by its index in `objects`, the `FIELD` of sound,
        or the `SURFACES` of the room.
        """
        return np.random.default_rng([self.seed, stream, self.index, number])

    def turned(self, yaw: float) -> Scene:
        """Return the scene turned about the camera by `yaw` radians."""
        return replace(self, heading=self.heading - yaw)

    def places(self, positions: Floats) -> tuple[Floats, Floats, Floats]:
        """Return azimuth, elevation (radians, from the camera) and distance of world positions."""
        x, y, z = np.moveaxis(positions, -1, 0)
        distance = np.sqrt(x * x + y * y + z * z)
        azimuth = np.arctan2(y, x) - self.heading
        azimuth = np.pi - np.mod(np.pi - azimuth, 2.0 * np.pi)
        return azimuth, np.arcsin(np.clip(z / distance, -1.0, 1.0)), distance

    def track(self, number: int, times: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Return azimuth, elevation and angular radius (radians) of an object over time."""
        thing = self.objects[number]
        positions = thing.path.at(np.asarray(times, dtype=np.float64) - self.duration / 2)
        azimuth, elevation, distance = self.places(positions)
        return azimuth, elevation, np.arctan(thing.size / distance)


def sample_scene(preset: Preset, *, seed: int, index: int, split: str, duration: float) -> Scene:
    """Draw a scene.

    Parameters
    ----------
    preset : Preset
        Bounds of the difficulty.
    seed, index : int
        Seed of the world, and number of the clip.
    split : {"train", "validation", "test"}
        The splits share no instance.
    duration : float
        Length of the clip in seconds.

    Returns
    -------
    Scene

    Raises
    ------
    InputError
        The preset asks for more objects than fit on the sphere, or than there are classes.

    Examples
    --------
    >>> from ambikit_learn.world.presets import PRESETS
    >>> scene = sample_scene(PRESETS["standard"], seed=0, index=3, split="train", duration=6.0)
    >>> len(scene.objects) in (3, 4) and any(thing.sounding for thing in scene.objects)
    True
    """
    if preset.objects[1] > len(CLASSES):
        raise InputError(
            f"{preset.objects[1]} objects in a scene are too many: there are {len(CLASSES)} classes"
        )
    rng = np.random.default_rng([seed, _SCENE, index])
    labels, sounding = _draw_objects(preset, rng)
    instances = _individuals(labels, seed, split, rng)
    times = _moments(duration)
    for _ in range(ATTEMPTS):
        paths, sizes, places = _draw_paths(preset, times, rng)
        chosen = _apart(preset, sizes, places, len(labels))
        if len(chosen) == len(labels):
            break
    else:
        raise InputError(
            f"{len(labels)} objects do not fit {preset.spacing:g}° apart within "
            f"±{preset.elevation:g}°: ask for fewer objects or a smaller spacing"
        )
    objects = tuple(
        Object(
            instance,
            paths(number),
            float(sizes[number]),
            loud,
            loud or bool(rng.random() < preset.pulsing),
            float(rng.uniform(-preset.level_spread, 0.0)),
        )
        for instance, number, loud in zip(instances, chosen, sounding, strict=True)
    )
    room = _room_around(sizes[chosen], places[chosen], preset, rng)
    elsewhere = _one_of(list(PLACES), rng)
    return Scene(
        seed,
        index,
        duration,
        float(rng.uniform(-np.pi, np.pi)),
        room,
        objects,
        room.place if preset.place_heard else elsewhere,
        float(rng.uniform(*preset.ambience_snr)),
    )


@lru_cache(maxsize=4)
def _moments(duration: float) -> Floats:
    """Return the times of labels relative to the middle of a clip."""
    times: Floats = np.linspace(-0.5, 0.5, 1 + round(duration * LABEL_RATE)) * duration
    return times


def _draw_objects(preset: Preset, rng: np.random.Generator) -> tuple[list[str], list[bool]]:
    """Draw the classes in the scene, and which objects sound."""
    count = int(rng.integers(preset.objects[0], preset.objects[1] + 1))
    low, high = (min(n, count) for n in preset.sounding)
    loud = int(rng.integers(low, high + 1))
    labels = [CLASSES[i] for i in rng.permutation(len(CLASSES))[:count]]
    if loud >= 2 and rng.random() < preset.sounding_pair:
        labels[1] = labels[0]
    if loud < count and rng.random() < preset.silent_twin:
        labels[loud] = labels[int(rng.integers(loud))]
    return labels, [i < loud for i in range(count)]


def _individuals(
    labels: Sequence[str], seed: int, split: str, rng: np.random.Generator
) -> list[Instance]:
    """Draw a different individual for each object."""
    pool = INSTANCES[split]
    indices = pool.start + rng.permutation(len(pool))[: len(labels)]
    return [Instance(seed, name, int(i)) for name, i in zip(labels, indices, strict=True)]


def _draw_paths(
    preset: Preset, times: Floats, rng: np.random.Generator
) -> tuple[Callable[[int], Trajectory], Floats, Floats]:
    """Draw paths, still, orbiting or passing by, with the preset's probabilities.

    Return each path by its number, and sizes (C,) and positions (C, T, 3) of the objects on them.
    """
    count = CANDIDATES
    elevation = np.deg2rad(rng.uniform(-preset.elevation, preset.elevation, count))
    azimuths = rng.uniform(-np.pi, np.pi, (2, count))
    (x, u), (y, v) = np.cos(azimuths), np.sin(azimuths)
    level = np.cos(elevation)
    facing = np.stack([level * x, level * y, np.sin(elevation)], axis=-1)
    sizes = rng.uniform(0.3, 0.45, count)
    distance = sizes / np.tan(np.deg2rad(rng.uniform(*preset.radius, count)))
    position = distance[:, None] * facing
    kind = np.searchsorted(np.cumsum(preset.motion)[:2], rng.random(count), side="right")
    speed = rng.uniform(0.15, 0.5, count) * (kind == 2)
    velocity = np.stack([speed * u, speed * v, np.zeros(count)], axis=-1)
    turn = rng.uniform(4, 12, count) * (2 * rng.integers(0, 2, count) - 1)
    spin = np.deg2rad(turn) * (kind == 1)

    def path(number: int) -> Trajectory:
        x, y, z = position[number].tolist()
        u, v, w = velocity[number].tolist()
        return Trajectory((x, y, z), (u, v, w), float(spin[number]))

    return path, sizes, along(position, velocity, spin, times)


def _apart(preset: Preset, sizes: Floats, places: Floats, count: int) -> list[int]:
    """Choose at most `count` of the paths (C, T, 3) that always keep the preset's bounds."""
    distance = np.sqrt(np.square(places).sum(axis=-1))
    seen = places / distance[..., None]
    radius = np.rad2deg(np.arctan(sizes[:, None] / distance))
    free = np.abs(seen[..., 2]).max(axis=1) <= np.sin(np.deg2rad(preset.elevation))
    free &= (radius.min(axis=1) >= preset.radius[0]) & (radius.max(axis=1) <= preset.radius[1])
    seen = seen.swapaxes(0, 1)
    closest = (seen @ seen.swapaxes(1, 2)).max(axis=0)
    far = closest <= np.cos(np.deg2rad(preset.spacing))
    chosen: list[int] = []
    while len(chosen) < count and free.any():
        chosen.append(int(free.argmax()))
        free &= far[chosen[-1]]
    return chosen


def _room_around(sizes: Floats, places: Floats, preset: Preset, rng: np.random.Generator) -> Room:
    """Draw a room whose walls clear every object (N,) on its path (N, T, 3)."""
    radius = sizes[:, None, None]
    reach = [(radius + places).max(axis=(0, 1)), (radius - places).max(axis=(0, 1))]
    outdoors = bool(rng.random() < preset.open_sky)
    place = _one_of([name for name, kind in PLACES.items() if kind.open_sky == outdoors], rng)
    size = PLACES[place].room * np.array([[1.0], [1.0], [0.3]])
    margin = CLEARANCE + rng.uniform(0.0, 3.0, (3, 2)) * size
    least = np.array([[1.5, 1.5], [1.5, 1.5], [0.9, 1.2]])
    walls = np.maximum(np.stack(reach, axis=-1), least) + margin
    return Room(
        tuple(map(float, walls.ravel())),  # type: ignore[arg-type]
        float(rng.uniform(*preset.t60)),
        float(rng.uniform(*preset.direct_to_tail)) + PLACES[place].dryness,
        place,
    )


def _one_of(names: Sequence[str], rng: np.random.Generator) -> str:
    """Draw a name."""
    return names[int(rng.integers(len(names)))]
