"""What is in a scene: a pure description drawn from a seed, in numbers and names only.

Sound and picture are both computed from it, so they agree by construction and every direction is
known. World coordinates are metres from the camera (x, y, z with z up); the camera looks along
the azimuth `heading`, and all directions that leave this file are seen from the camera.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ambikit import InputError
from ambikit_learn.world.places import PLACES, REFERENCE, Place
from ambikit_learn.world.presets import Preset

Floats = npt.NDArray[np.float64]

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
INSTANCES = {"train": range(0, 50), "test": range(50, 70)}
CLEARANCE = 0.4
# Low notes ring on, but not for ever: in real rooms more than the walls takes them up.
LONGEST_DECAY = 1.3
ATTEMPTS = 100
# First number after the seed of every random stream, so that no two streams meet.
_SCENE, _LOOKS, _VOICE, PERFORMANCE, FIELD, SURFACES = range(6)


@dataclass(frozen=True)
class Instance:
    """One individual of a class, with looks and a voice of its own."""

    seed: int
    label: str
    index: int

    def looks(self) -> np.random.Generator:
        """Return the random numbers of its looks, the same each time."""
        return self._generator(_LOOKS)

    def voice(self) -> np.random.Generator:
        """Return the random numbers of its voice, the same each time."""
        return self._generator(_VOICE)

    def _generator(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, stream, CLASSES.index(self.label), self.index])


@dataclass(frozen=True)
class Path:
    """Way of an object: a straight line that turns about the camera.

    ``p(t) = Rz(spin·t) (position + velocity·t)``, with `t` from the middle of the clip, metres,
    and radians a second. Both rates 0 is still, spin alone orbits, velocity alone passes by.
    """

    position: tuple[float, float, float]
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spin: float = 0.0

    def at(self, times: npt.ArrayLike) -> Floats:
        """Return the places (T, 3) at times counted from the middle of the clip."""
        t = np.asarray(times, dtype=np.float64)[:, None]
        x, y, z = (np.asarray(self.position) + t * np.asarray(self.velocity)).T
        cos, sin = np.cos(self.spin * t[:, 0]), np.sin(self.spin * t[:, 0])
        return np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=-1)


@dataclass(frozen=True)
class Object:
    """Something seen in the scene, and heard if it sounds.

    `pulsing` objects move as if they sounded; `size` is half their height in metres; `level` is
    the direct sound's level at their mean distance, in dB.
    """

    instance: Instance
    path: Path
    size: float
    sounding: bool
    pulsing: bool
    level: float


@dataclass(frozen=True)
class Room:
    """Shoebox round the camera.

    `walls` are the distances to +x, −x, +y, −y, +z, −z in metres; `t60` in seconds at 0.5-1 kHz;
    `direct_to_tail` in dB; `place` is a key of `PLACES`, which says what the walls are made of.
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
        """What sort of place it is."""
        return PLACES[self.place]

    def reflection(self) -> Floats:
        """Return the pressure that side walls, ceiling and floor send back by octave, (3, 7).

        The materials are made more or less absorbing, all by the same power of 1 − α, so that
        Millington's ``T60 = 0.161 V / −Σ S ln(1 − α)`` gives `t60` at 0.5-1 kHz.
        """
        exponents, total = self._absorption()
        scale = 0.161 * self._volume / (self.t60 * total[REFERENCE].mean())
        pressure: Floats = np.exp(-0.5 * scale * exponents)
        return pressure

    def decay(self) -> Floats:
        """Return the reverberation time in each octave, (7,) seconds."""
        _, total = self._absorption()
        seconds: Floats = self.t60 * total[REFERENCE].mean() / total
        return np.minimum(seconds, LONGEST_DECAY * self.t60)

    def _absorption(self) -> tuple[Floats, Floats]:
        """Return −ln(1 − α) of the surfaces by octave, and its sum weighted by their areas."""
        x, y, z = np.add(self.walls[::2], self.walls[1::2])
        areas = np.array([2.0 * z * (x + y), 0.0 if self.kind.open_sky else x * y, x * y])
        exponents = np.array([surface.exponent() for surface in self.kind.surfaces])
        return exponents, areas @ exponents

    @property
    def _volume(self) -> float:
        return float(np.prod(np.add(self.walls[::2], self.walls[1::2])))


@dataclass(frozen=True)
class Scene:
    """Everything that decides a clip; `ambience` is the place whose sound is all around."""

    seed: int
    index: int
    duration: float
    heading: float
    room: Room
    objects: tuple[Object, ...]
    ambience: str
    ambience_snr: float

    def generator(self, stream: int, number: int = 0) -> np.random.Generator:
        """Return the random numbers of a stream.

        That is an object's `PERFORMANCE`, by its place in `objects`, or else the `FIELD` of sound
        or the `SURFACES` around the objects.
        """
        return np.random.default_rng([self.seed, stream, self.index, number])

    def turned(self, yaw: float) -> Scene:
        """Return the scene as if all of it had turned by `yaw` radians about the camera."""
        return replace(self, heading=self.heading - yaw)

    def places(self, positions: Floats) -> tuple[Floats, Floats, Floats]:
        """Return azimuth, elevation (radians, from the camera) and distance of world places."""
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
        How hard the scene may be.
    seed, index : int
        World and clip; the scene depends on nothing else.
    split : {"train", "test"}
        The two splits share no instance.
    duration : float
        Seconds.

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
    labels, sounding = _cast(preset, rng)
    instances = _individuals(labels, seed, split, rng)
    for _ in range(ATTEMPTS):
        placed = _place(preset, len(labels), duration, rng)
        if placed is not None:
            break
    else:
        raise InputError(
            f"{len(labels)} objects do not fit {preset.spacing:g}° apart within "
            f"±{preset.elevation:g}°: ask for fewer objects or a smaller spacing"
        )
    objects = tuple(
        Object(
            instance,
            path,
            size,
            loud,
            loud or bool(rng.random() < preset.pulsing),
            float(rng.uniform(-preset.level_spread, 0.0)),
        )
        for instance, (path, size), loud in zip(instances, placed, sounding, strict=True)
    )
    room = _room_around(objects, preset, duration, rng)
    elsewhere = str(rng.choice(list(PLACES)))
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


def _cast(preset: Preset, rng: np.random.Generator) -> tuple[list[str], list[bool]]:
    """Draw the classes in the scene, and which objects sound."""
    count = int(rng.integers(preset.objects[0], preset.objects[1] + 1))
    low, high = (min(n, count) for n in preset.sounding)
    loud = int(rng.integers(low, high + 1))
    labels = [str(name) for name in rng.permutation(CLASSES)[:count]]
    if loud >= 2 and rng.random() < preset.sounding_pair:
        labels[1] = labels[0]
    if loud < count and rng.random() < preset.silent_twin:
        labels[loud] = labels[int(rng.integers(loud))]
    return labels, [i < loud for i in range(count)]


def _individuals(
    labels: Sequence[str], seed: int, split: str, rng: np.random.Generator
) -> list[Instance]:
    """Draw an individual for each object, none twice in a scene."""
    pool = INSTANCES[split]
    indices = pool.start + rng.choice(len(pool), len(labels), replace=False)
    return [Instance(seed, name, int(i)) for name, i in zip(labels, indices, strict=True)]


def _place(
    preset: Preset, count: int, duration: float, rng: np.random.Generator
) -> list[tuple[Path, float]] | None:
    """Draw paths and sizes that keep the preset's bounds throughout, or None if that fails."""
    times = np.linspace(-0.5, 0.5, 1 + round(duration * LABEL_RATE)) * duration
    placed: list[tuple[Path, float]] = []
    directions: list[Floats] = []
    for _ in range(ATTEMPTS):
        path, size = _wander(preset, rng)
        places = path.at(times)
        distance = np.linalg.norm(places, axis=-1, keepdims=True)
        seen = places / distance
        radius = np.rad2deg(np.arctan(size / distance))
        inside = (
            np.abs(seen[:, 2]).max() <= np.sin(np.deg2rad(preset.elevation))
            and radius.min() >= preset.radius[0]
            and radius.max() <= preset.radius[1]
        )
        near = np.cos(np.deg2rad(preset.spacing))
        if inside and all((seen * other).sum(-1).max() <= near for other in directions):
            placed.append((path, size))
            directions.append(seen)
            if len(placed) == count:
                return placed
    return None


def _wander(preset: Preset, rng: np.random.Generator) -> tuple[Path, float]:
    """Draw a path and a size: still, orbiting or passing by, with the preset's odds."""
    azimuth, slant = rng.uniform(-np.pi, np.pi, 2)
    elevation = np.deg2rad(rng.uniform(-preset.elevation, preset.elevation))
    size = rng.uniform(0.3, 0.45)
    distance = size / np.tan(np.deg2rad(rng.uniform(*preset.radius)))
    flat = distance * np.cos(elevation)
    position = (flat * np.cos(azimuth), flat * np.sin(azimuth), distance * np.sin(elevation))
    speed, spin = rng.uniform(0.15, 0.5), rng.choice([-1, 1]) * np.deg2rad(rng.uniform(4, 12))
    kind = rng.choice(3, p=preset.motion)
    velocity = (speed * np.cos(slant), speed * np.sin(slant), 0.0) if kind == 2 else (0.0,) * 3
    path = Path(
        tuple(map(float, position)),  # type: ignore[arg-type]
        tuple(map(float, velocity)),  # type: ignore[arg-type]
        float(spin) if kind == 1 else 0.0,
    )
    return path, float(size)


def _room_around(
    objects: Sequence[Object], preset: Preset, duration: float, rng: np.random.Generator
) -> Room:
    """Draw a room whose walls clear every object on its way."""
    times = np.linspace(-0.5, 0.5, 1 + round(duration * LABEL_RATE)) * duration
    reach = functools.reduce(
        np.maximum,
        [
            np.stack([side * thing.path.at(times) for side in (1, -1)], axis=-1).max(0) + thing.size
            for thing in objects
        ],
    )
    outdoors = bool(rng.random() < preset.open_sky)
    place = str(rng.choice([name for name, p in PLACES.items() if p.open_sky == outdoors]))
    size = PLACES[place].room * np.array([[1.0], [1.0], [0.3]])
    margin = CLEARANCE + rng.uniform(0.0, 3.0, (3, 2)) * size
    least = np.array([[1.5, 1.5], [1.5, 1.5], [0.9, 1.2]])
    walls = np.maximum(reach, least) + margin
    return Room(
        tuple(map(float, walls.ravel())),  # type: ignore[arg-type]
        float(rng.uniform(*preset.t60)),
        float(rng.uniform(*preset.direct_to_tail)) + PLACES[place].dryness,
        place,
    )
