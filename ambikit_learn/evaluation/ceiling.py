"""The ceiling of accuracies: an oracle that knows the contents of rendered scenes and of crops.

The oracle knows the class and direction of every object, whether it sounds, and which objects are
in each crop. It takes sound and picture as a true pair unless a crop contradicts the sound: the
crop shows a sounding object, but no sound of that class arrives from there; or a sound arrives from
within the crop, where no object of that class sounds. It is thus right about all true pairs, and
about the wrong pairs that are detectable; where no crop is informative, it can only guess. No other
judge with the same knowledge is right more often.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ambikit import checks
from ambikit_learn._typing import Booleans, Floats, Indices
from ambikit_learn.data.cached import CachedDataset
from ambikit_learn.data.rendered import WorldDataset
from ambikit_learn.world.scene import CLASSES, Scene

RESOLUTION = 10.0
"""Degrees within which the oracle takes two directions as one: about the radius of an object."""
SHOWN = ("nothing", "a silent object", "a sounding object")
"""Contents of a crop by the number that `most_shown` returns."""


@dataclass(frozen=True)
class Contents:
    """Contents of N scenes with at most J objects; missing ones have the label −1.

    Attributes
    ----------
    label : ndarray of int, shape (N, J)
        Number of the class in `ambikit_learn.world.scene.CLASSES`.
    azimuth, elevation : ndarray, shape (N, J)
        Directions in radians, in the middle of the span.
    sounding : ndarray of bool, shape (N, J)
        Which objects sound.
    """

    label: Indices
    azimuth: Floats
    elevation: Floats
    sounding: Booleans

    @classmethod
    def of(cls, scenes: list[Scene]) -> Contents:
        """Return the contents of scenes."""
        shape = len(scenes), max(len(scene.objects) for scene in scenes)
        label, sounding = np.full(shape, -1, dtype=np.intp), np.zeros(shape, dtype=bool)
        azimuth, elevation = np.zeros(shape), np.zeros(shape)
        for row, scene in enumerate(scenes):
            for column, thing in enumerate(scene.objects):
                a, e, _ = scene.track(column, [scene.duration / 2])
                azimuth[row, column], elevation[row, column] = a[0], e[0]
                label[row, column] = CLASSES.index(thing.instance.label)
                sounding[row, column] = thing.sounding
        return cls(label, azimuth, elevation, sounding)

    @classmethod
    def of_dataset(cls, dataset: WorldDataset | CachedDataset) -> Contents:
        """Return the contents of the scenes of a data set, without rendering them."""
        return cls.of([dataset.scene(index) for index in range(len(dataset))])

    def take(self, rows: Indices) -> Contents:
        """Return some of the scenes, in the given order."""
        return Contents(
            self.label[rows], self.azimuth[rows], self.elevation[rows], self.sounding[rows]
        )

    def turned(self, yaw: Floats) -> Contents:
        """Return the scenes turned by yaws (N,) in radians about the vertical."""
        azimuth = self.azimuth + np.asarray(yaw)[:, None]
        return Contents(self.label, azimuth, self.elevation, self.sounding)


def most_shown(contents: Contents, views: Floats) -> Indices:
    """Return the contents of each crop.

    Parameters
    ----------
    contents : Contents
        Contents of N scenes.
    views : ndarray, shape (N, K, 4)
        Azimuth, elevation, width and height of the crops in radians.

    Returns
    -------
    ndarray of int, shape (N, K)
        0 for nothing, 1 for silent objects only, 2 if an object sounds. An object is in a crop if
        its centre is.
    """
    inside = _inside(contents, views) & (contents.label >= 0)[:, None]
    sounding = (inside & contents.sounding[:, None]).any(-1)
    shown: Indices = np.where(sounding, 2, inside.any(-1).astype(np.intp))
    return shown


def label_shown(contents: Contents, views: Floats) -> Indices:
    """Return the class of a sounding object in each crop (N, K), or −1 if it shows none.

    Parameters
    ----------
    contents, views
        As for `most_shown`.
    """
    seen = _inside(contents, views) & _heard(contents)[:, None]
    first = np.take_along_axis(contents.label, seen.argmax(-1), axis=1)
    label: Indices = np.where(seen.any(-1), first, -1)
    return label


def contradicted(
    picture: Contents, sound: Contents, views: Floats, *, resolution: float = RESOLUTION
) -> Booleans:
    """Return which crops show that the sound is not that of the picture.

    Parameters
    ----------
    picture, sound : Contents
        Contents of N scenes each, for the picture and for the sound.
    views : ndarray, shape (N, K, 4)
        Azimuth, elevation, width and height of the crops in radians.
    resolution : float
        Degrees within which directions are taken as equal.

    Returns
    -------
    ndarray of bool, shape (N, K)

    Examples
    --------
    An object 10° to the left of the crop's middle; its sound comes from there, then from behind.

    >>> import numpy as np
    >>> bell = Contents(np.array([[1]]), np.deg2rad([[10.0]]), np.zeros((1, 1)), np.array([[True]]))
    >>> view = np.deg2rad([[[0.0, 0.0, 60.0, 60.0]]])
    >>> contradicted(bell, bell, view).item(), contradicted(bell, bell.turned([np.pi]), view).item()
    (False, True)
    """
    least = np.cos(np.deg2rad(checks.within(resolution, 0.0, 180.0, "resolution")))
    shown = _inside(picture, views) & _heard(picture)[:, None]
    claimed = _inside(sound, views) & _heard(sound)[:, None]
    cosine = np.einsum("njx,nix->nji", _unit(picture), _unit(sound))
    # Rounding alone must not separate a direction from itself
    same = (cosine >= least - 1e-9) & (picture.label[:, :, None] == sound.label[:, None])
    same &= _heard(picture)[:, :, None] & _heard(sound)[:, None]
    found: Booleans = (shown & ~same.any(2)[:, None]).any(-1)
    found |= (claimed & ~same.any(1)[:, None]).any(-1)
    return found


def ceiling(contradictions: Booleans) -> Floats:
    """Return how often the oracle is right about N true and N wrong pairs.

    Parameters
    ----------
    contradictions : ndarray of bool, shape (N,) or (N, K)
        Which wrong pairs are detectable.

    Returns
    -------
    ndarray, as `contradictions`
        1 where the wrong pair is detectable, ½ where not: the mean is the ceiling of an accuracy.
    """
    share: Floats = np.where(contradictions, 1.0, 0.5)
    return share


def _heard(contents: Contents) -> Booleans:
    """Return which objects (N, J) exist and sound."""
    there: Booleans = contents.sounding & (contents.label >= 0)
    return there


def _unit(contents: Contents) -> Floats:
    """Return directions (N, J, 3) as unit vectors: front, left, up."""
    level = np.cos(contents.elevation)
    x, y = level * np.cos(contents.azimuth), level * np.sin(contents.azimuth)
    return np.stack([x, y, np.sin(contents.elevation)], axis=-1)


def _inside(contents: Contents, views: Floats) -> Booleans:
    """Return which centres (N, J) lie in which crops (N, K, 4): (N, K, J)."""
    azimuth, elevation, width, height = np.moveaxis(np.asarray(views)[..., None], 2, 0)
    level = np.cos(contents.elevation)[:, None]
    turn = contents.azimuth[:, None] - azimuth
    x, left, up = level * np.cos(turn), level * np.sin(turn), np.sin(contents.elevation)[:, None]
    cos, sin = np.cos(elevation), np.sin(elevation)
    front, above = cos * x + sin * up, cos * up - sin * x
    inside: Booleans = (
        (front > 0.0)
        & (np.abs(left) <= front * np.tan(width / 2))
        & (np.abs(above) <= front * np.tan(height / 2))
    )
    return inside
