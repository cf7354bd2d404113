"""What a video file says about its projection: the boxes sv3d and st3d, and their like in Matroska.

FFmpeg hands them on with each frame, as the bytes of its own structures.
"""

from __future__ import annotations

import struct
from typing import Any

from ambikit import InputError
from ambikit_learn.projection import FrameLayout


class PartialSphereError(InputError):
    """The picture does not cover the sphere, or cannot be cut to one that does."""


# enum AVSphericalProjection and enum AVStereo3DType of libavutil.
_PROJECTIONS = {0: "equirectangular", 1: "cubemap"}
_PARTIAL = {
    2: "a part of an equirectangular picture",
    3: "half of the sphere",
    4: "a plane picture",
    5: "a fisheye picture",
    6: "a picture whose projection is told apart from it",
}
_STEREO = {0: "mono", 1: "left-right", 2: "top-bottom"}
# AVSphericalMapping: projection, yaw, pitch, roll, four bounds, padding.
_MAPPING = struct.Struct("=i3i4II")


def stated_layout(side_data: Any) -> FrameLayout | None:
    """Read the layout that a frame's side data states.

    Parameters
    ----------
    side_data : mapping
        ``frame.side_data`` of PyAV.

    Returns
    -------
    FrameLayout or None
        None if nothing is stated of the projection, nor of two eyes.

    Raises
    ------
    PartialSphereError
        The picture does not cover the sphere, or two eyes share it in a way that cannot be cut.

    Notes
    -----
    Pose is passed over: FFmpeg gives the initial view of Spherical Video V1 in the same fields,
    which does not turn the picture.

    References
    ----------
    .. [1] Google, "Spherical Video V2 RFC", github.com/google/spatial-media.
    """
    mapping, eyes = (side_data.get(name) for name in ("SPHERICAL", "STEREO3D"))
    if mapping is None and eyes is None:
        return None
    projection, padding, stereo = "equirectangular", 0, "mono"
    if mapping is not None:
        kind, *_, padding = _MAPPING.unpack_from(bytes(mapping))
        if kind not in _PROJECTIONS:
            raise PartialSphereError(
                f"the file states {_PARTIAL.get(kind, f'projection {kind}')}: "
                "convert it to an equirectangular picture of the whole sphere"
            )
        projection = _PROJECTIONS[kind]
    if eyes is not None:
        (arrangement,) = struct.unpack_from("=i", bytes(eyes))
        if arrangement not in _STEREO:
            raise PartialSphereError(
                f"the file states two eyes in arrangement {arrangement} of FFmpeg's: "
                "convert it to top-bottom, left-right or one eye"
            )
        stereo = _STEREO[arrangement]
    return FrameLayout(projection, stereo, padding if projection == "cubemap" else 0)
