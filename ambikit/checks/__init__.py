"""Every argument check, once; messages quote the shape or value, and the remedy.

Public, so that programs built on ambikit refuse their input as it does.
"""

from __future__ import annotations

from ambikit.checks.analysis import average as average
from ambikit.checks.analysis import bands as bands
from ambikit.checks.analysis import covariance_bands as covariance_bands
from ambikit.checks.analysis import frames_of as frames_of
from ambikit.checks.analysis import gapless as gapless
from ambikit.checks.analysis import long_enough as long_enough
from ambikit.checks.analysis import mel_settings as mel_settings
from ambikit.checks.analysis import one_pole as one_pole
from ambikit.checks.analysis import pooling_settings as pooling_settings
from ambikit.checks.analysis import rate as rate
from ambikit.checks.analysis import spectra as spectra
from ambikit.checks.analysis import streamable as streamable
from ambikit.checks.analysis import window as window
from ambikit.checks.arrays import all_finite as all_finite
from ambikit.checks.arrays import ambisonic as ambisonic
from ambikit.checks.arrays import array as array
from ambikit.checks.arrays import at_most_1d as at_most_1d
from ambikit.checks.arrays import broadcast as broadcast
from ambikit.checks.arrays import leading as leading
from ambikit.checks.arrays import numbers as numbers
from ambikit.checks.arrays import one_signal as one_signal
from ambikit.checks.arrays import output as output
from ambikit.checks.arrays import real as real
from ambikit.checks.arrays import same_batch as same_batch
from ambikit.checks.arrays import samples as samples
from ambikit.checks.arrays import single as single
from ambikit.checks.arrays import sound as sound
from ambikit.checks.arrays import stayed_finite as stayed_finite
from ambikit.checks.beams import channel_covariance as channel_covariance
from ambikit.checks.beams import constraints as constraints
from ambikit.checks.beams import independent as independent
from ambikit.checks.beams import invertible as invertible
from ambikit.checks.beams import loading as loading
from ambikit.checks.beams import sources as sources
from ambikit.checks.beams import steering as steering
from ambikit.checks.beams import weights_of as weights_of
from ambikit.checks.files import frame_size as frame_size
from ambikit.checks.files import frames as frames
from ambikit.checks.files import input_file as input_file
from ambikit.checks.files import picture_of_map as picture_of_map
from ambikit.checks.files import sound_to_write as sound_to_write
from ambikit.checks.files import span as span
from ambikit.checks.geometry import SupportsMatrix as SupportsMatrix
from ambikit.checks.geometry import angle as angle
from ambikit.checks.geometry import direction as direction
from ambikit.checks.geometry import direction_of_each as direction_of_each
from ambikit.checks.geometry import directions_table as directions_table
from ambikit.checks.geometry import elevation as elevation
from ambikit.checks.geometry import field_of_view as field_of_view
from ambikit.checks.geometry import key_times as key_times
from ambikit.checks.geometry import keys_of_matrices as keys_of_matrices
from ambikit.checks.geometry import map_of as map_of
from ambikit.checks.geometry import one_rotation as one_rotation
from ambikit.checks.geometry import rotation as rotation
from ambikit.checks.geometry import same_directions as same_directions
from ambikit.checks.geometry import separation as separation
from ambikit.checks.geometry import spread as spread
from ambikit.checks.geometry import unused as unused
from ambikit.checks.geometry import vectors as vectors
from ambikit.checks.geometry import width as width
from ambikit.checks.scalars import at_least as at_least
from ambikit.checks.scalars import choice as choice
from ambikit.checks.scalars import even as even
from ambikit.checks.scalars import finite as finite
from ambikit.checks.scalars import fraction as fraction
from ambikit.checks.scalars import nonnegative_int as nonnegative_int
from ambikit.checks.scalars import number as number
from ambikit.checks.scalars import order as order
from ambikit.checks.scalars import positive as positive
from ambikit.checks.scalars import positive_int as positive_int
from ambikit.checks.scalars import within as within
