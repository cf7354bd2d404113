"""The difficulty of a world: bounds and probabilities from which scenes are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from ambikit import InputError, checks


@dataclass(frozen=True)
class Preset:
    """Bounds (low, high) and probabilities of a scene; degrees, seconds and dB.

    `silent_twin`: probability that a silent object is of a sounding object's class;
    `sounding_pair`: that two sounding objects are of one class; `pulsing`: that a silent object
    moves as if it sounded; `motion`: probabilities of standing still, orbiting, passing by;
    `spacing`: smallest angle between two objects; `place_heard`: the ambience is that of the
    visible place, and not of a random one.
    """

    objects: tuple[int, int] = (3, 4)
    sounding: tuple[int, int] = (1, 3)
    silent_twin: float = 0.5
    sounding_pair: float = 0.2
    pulsing: float = 0.5
    motion: tuple[float, float, float] = (0.4, 0.3, 0.3)
    elevation: float = 30.0
    spacing: float = 36.0
    radius: tuple[float, float] = (8.0, 14.0)
    t60: tuple[float, float] = (0.2, 0.6)
    direct_to_tail: tuple[float, float] = (3.0, 15.0)
    level_spread: float = 6.0
    ambience_snr: tuple[float, float] = (5.0, 30.0)
    open_sky: float = 0.3
    place_heard: bool = False

    def __post_init__(self) -> None:
        bounds = ("objects", "sounding", "radius", "t60", "direct_to_tail", "ambience_snr")
        for name in bounds:
            low, high = getattr(self, name)
            if not low <= high:
                raise InputError(f"{name} must be (low, high), got {(low, high)}")
        for name in ("silent_twin", "sounding_pair", "pulsing", "open_sky"):
            checks.fraction(getattr(self, name), name)
        checks.positive(self.t60[0], "t60", "seconds")
        checks.positive_int(self.objects[0], "objects")
        checks.nonnegative_int(self.sounding[0], "sounding")
        checks.within(self.radius[0], 0.5, 45.0, "radius")
        checks.within(self.radius[1], 0.5, 45.0, "radius")
        checks.within(self.elevation, 0.0, 90.0, "elevation")
        if min(self.motion) < 0.0 or abs(sum(self.motion) - 1.0) > 1e-6:
            raise InputError(f"motion must be three probabilities of sum 1, got {self.motion}")


PRESETS = {
    "easy": Preset(
        objects=(2, 3),
        sounding=(1, 2),
        silent_twin=0.0,
        sounding_pair=0.0,
        pulsing=0.0,
        t60=(0.15, 0.3),
        direct_to_tail=(12.0, 20.0),
        level_spread=3.0,
        ambience_snr=(20.0, 30.0),
    ),
    "standard": Preset(),
    "hard": Preset(
        sounding=(2, 3),
        silent_twin=0.7,
        sounding_pair=0.35,
        pulsing=1.0,
        t60=(0.3, 0.9),
        direct_to_tail=(-3.0, 8.0),
        level_spread=8.0,
        ambience_snr=(0.0, 15.0),
    ),
    # Picture and ambience share the place, so that correspondence can be learned without direction.
    "scenes": Preset(ambience_snr=(0.0, 15.0), place_heard=True),
}
