"""The variants that are compared, and the figures that were published for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ambikit import InputError
from ambikit_learn._commandline import nearest


@dataclass(frozen=True)
class Variant:
    """A row of the comparison.

    Attributes
    ----------
    title : str
        Name in tables.
    config : str
        Features and crops: a file in ``configs/variants``.
    settings : mapping
        Settings of `fit` in which all its trainings differ from that.
    stages : tuple of str
        Objectives that are trained after each other, each initialised from the former.
    begin : str, optional
        Variant of the same features whose first stage this one shares.
    tells_directions : bool
        Whether the sound that the networks get says where it is from. Where it does not, guessing
        is what is to be found in tests of direction.
    trained : bool
        False for networks whose weights stay random.
    """

    title: str
    config: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[str, ...] = ("avc", "avsa")
    begin: str | None = None
    tells_directions: bool = True
    trained: bool = True


_SILENT = {"model.learning_rate": 0.0, "model.weight_decay": 0.0, "trainer.max_steps": 50}

PAPER = {
    "baseline": Variant("log-mel (baseline)", "baseline"),
    "foa_yolo": Variant("log-mel, crops on objects", "foa_yolo"),
    "foa_iv": Variant("log-mel + intensity (FOA-IV)", "foa_iv"),
    "foa_iv_yolo": Variant("FOA-IV, crops on objects", "foa_iv_yolo"),
    "beamform": Variant("beam to the crop", "beamform"),
    "beamform_yolo": Variant("beam, crops on objects", "beamform_yolo"),
}
"""The six rows of the paper's Table 1."""

CONTROLS = {
    "mono": Variant("W alone", "baseline", {"model.alignment": "omni"}, tells_directions=False),
    "flip": Variant(
        "FOA-IV, left and right swapped or not", "foa_iv", stages=("avc", "flip"), begin="foa_iv"
    ),
    "both": Variant(
        "FOA-IV, AVC and AVSA together", "foa_iv", stages=("avc", "both"), begin="foa_iv"
    ),
    "random": Variant("FOA-IV, random weights", "foa_iv", _SILENT, ("avsa",), trained=False),
    "baseline_avc": Variant("log-mel, AVC alone", "baseline", stages=("avc",), begin="baseline"),
    "foa_iv_avc": Variant("FOA-IV, AVC alone", "foa_iv", stages=("avc",), begin="foa_iv"),
}
"""Other pretext tasks, less training, and sound without direction."""

EXTRA = {
    "stereo": Variant("two cardioids, left and right", "baseline", {"model.alignment": "stereo"}),
    "turned": Variant(
        "FOA-IV, sound turned at random",
        "foa_iv",
        {"data.direction_blind": True},
        tells_directions=False,
    ),
}
"""Rows that are trained on request only."""

VARIANTS: dict[str, Variant] = PAPER | CONTROLS | EXTRA


@dataclass(frozen=True)
class Published:
    """A table of published figures, in percent.

    Attributes
    ----------
    title, source : str
        What it shows, and where it is from.
    columns : tuple of str
        Names of the figures of a row.
    rows : mapping
        Name of a row -> its figures; None where there is none.
    variants : mapping
        Name of a row -> the variant here that it corresponds to.
    """

    title: str
    source: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float | None, ...]]
    variants: Mapping[str, str] = field(default_factory=dict)


NEURIPS = "Morgado, Li, Vasconcelos, NeurIPS 2020"
COMPANION = "the paper of 2022 on FOA-IV, beams and detected objects"

PUBLISHED = (
    Published(
        "AVC and AVSA on YT-360, accuracy of the binary heads",
        f"{NEURIPS}, Table 2 and ablations; log-mel",
        ("AVC 1 crop", "AVC 4 crops", "AVSA 1 crop", "AVSA 4 crops"),
        {
            "AVC alone": (79.82, 82.68, 59.48, 59.25),
            "AVC, then AVSA": (86.19, 91.67, 64.97, 68.87),
            "AVC, then AVSA, translated": (None, 89.83, None, 69.97),
            "the same, beam to the crop": (None, 82.39, None, 62.95),
            "the same, two ears": (None, 84.47, None, 71.11),
        },
        {
            "AVC alone": "baseline_avc",
            "AVC, then AVSA": "baseline",
            "the same, beam to the crop": "beamform",
            "the same, two ears": "stereo",
        },
    ),
    Published(
        "AVSA on YT-360 by features",
        COMPANION,
        ("AVSA 4 crops",),
        {"log-mel": (71.0,), "FOA-IV": (81.0,)},
        {"log-mel": "baseline", "FOA-IV": "foa_iv"},
    ),
    Published(
        "Actions in UCF101 and HMDB51",
        f"{COMPANION}, Table 1",
        ("UCF101 frozen", "HMDB51 frozen", "UCF101 tuned", "HMDB51 tuned"),
        {
            "Baseline": (36.3, 23.1, 65.9, 32.0),
            "FOA + YOLO": (35.7, 23.0, 65.0, 32.9),
            "FOA + FOA-IV": (36.9, 22.7, 67.6, 33.3),
            "FOA + FOA-IV + YOLO": (37.5, 24.0, 66.2, 32.4),
            "Beamform": (37.1, 22.1, 65.9, 31.8),
            "Beamform + YOLO": (40.4, 24.2, 66.9, 34.2),
        },
        {
            "Baseline": "baseline",
            "FOA + YOLO": "foa_yolo",
            "FOA + FOA-IV": "foa_iv",
            "FOA + FOA-IV + YOLO": "foa_iv_yolo",
            "Beamform": "beamform",
            "Beamform + YOLO": "beamform_yolo",
        },
    ),
    Published(
        "Acoustic scenes of EigenScape",
        f"{COMPANION}, Table 2",
        ("accuracy",),
        {
            "DirAC + GMM": (69.0,),
            "CNN": (82.0,),
            "AVC, log-mel": (82.5,),
            "AVSA, log-mel": (89.4,),
            "AVC, FOA-IV": (82.5,),
            "AVSA, FOA-IV": (74.1,),
        },
        {
            "AVC, log-mel": "baseline_avc",
            "AVSA, log-mel": "baseline",
            "AVC, FOA-IV": "foa_iv_avc",
            "AVSA, FOA-IV": "foa_iv",
        },
    ),
)


@dataclass(frozen=True)
class Finding:
    """A published finding as a difference of two variants.

    Attributes
    ----------
    text, source : str
        What was found, and by whom.
    task, row : str
        Measure: a task and a row of its results.
    variant, other : str
        The two variants.
    sign : int
        1 if the first was better, 0 if it made no difference.
    published : tuple of float
        The two figures, in percent, if there are any.
    """

    text: str
    source: str
    task: str
    row: str
    variant: str
    other: str
    sign: int
    published: tuple[float, float] | None = None


FINDINGS = (
    Finding(
        "Intensity vectors beside log-mel tell alignment better",
        COMPANION,
        *("avsa", "4 crops", "foa_iv", "baseline", 1),
        (81.0, 71.0),
    ),
    Finding(
        "A beam to objects tells alignment no better than log-mel at random crops",
        COMPANION,
        *("avsa", "4 crops", "beamform_yolo", "baseline", 0),
    ),
    Finding(
        "The whole field tells alignment better than a beam",
        NEURIPS,
        *("avsa", "4 crops", "baseline", "beamform", 1),
        (69.97, 62.95),
    ),
    Finding(
        "The whole field tells correspondence better than a beam",
        NEURIPS,
        *("avc", "4 crops", "baseline", "beamform", 1),
        (89.83, 82.39),
    ),
    Finding(
        "AVSA after AVC tells alignment better than AVC alone",
        NEURIPS,
        *("avsa", "4 crops", "baseline", "baseline_avc", 1),
        (68.87, 59.25),
    ),
    Finding(
        "AVSA after AVC tells correspondence better than AVC alone",
        NEURIPS,
        *("avc", "4 crops", "baseline", "baseline_avc", 1),
        (91.67, 82.68),
    ),
)


def chosen_variants(names: Sequence[str]) -> tuple[str, ...]:
    """Return the variants to compare: those of the paper and the controls if none is given.

    Raises
    ------
    InputError
        If a name is unknown.

    Examples
    --------
    >>> chosen_variants(["foa_iv", "mono"])
    ('foa_iv', 'mono')
    """
    for name in names:
        if name not in VARIANTS:
            near = nearest(name, VARIANTS)
            said = f", the nearest is {near!r}" if near else ""
            raise InputError(f"unknown variant {name!r}{said}: choose of {', '.join(VARIANTS)}")
    return tuple(dict.fromkeys(names)) or tuple(PAPER | CONTROLS)
