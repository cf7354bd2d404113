"""Measure how far ambikit is from what others published: python docs/anchors.py.

An anchor is a comparison with something that nobody in this project wrote. Each is a test; this
runs those tests, notes the largest deviation that `assert_allclose` sees in each, and prints the
table of docs/anchors.md. With --write the table in that file is replaced.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests" / "ambikit"
BEGIN, END = "<!-- anchors -->\n", "<!-- /anchors -->\n"


@dataclass
class Anchor:
    """One row of the table, and what its test measured."""

    source: str
    compared: str
    test: str
    unit: str = ""
    case: str = ""
    deviations: list[float] = field(default_factory=list)
    outcomes: set[str] = field(default_factory=set)

    def row(self) -> str:
        """Return the row in Markdown."""
        passed = self.outcomes == {"passed"} and self.deviations
        measured = f"{max(self.deviations):.1e}{self.unit}" if passed else "not measured here"
        if "failed" in self.outcomes:
            measured = "**fails**"
        file, name = self.test.split("::")
        return (
            f"| {self.source} | {self.compared} | {measured} | "
            f"[`{name}`](../tests/ambikit/{file}) |"
        )


ANCHORS = [
    Anchor(
        "scipy `sph_harm_y` (complex, orthonormal, Condon-Shortley)",
        "harmonics of orders 0 to 12 in 300 directions",
        "test_harmonics.py::test_scipy_to_order_12",
    ),
    Anchor(
        'scipy `Rotation.from_euler("ZYX")`',
        "`rotation_matrix` for random yaw, pitch, roll",
        "test_rotation.py::test_matrix_is_scipys_zyx",
    ),
    Anchor(
        "SAF, literal matrices of `test__getSHrotMtxReal` (9 decimals), from Politis' MATLAB",
        "`sh_rotation_matrix`, degrees 1 to 4",
        "test_rotation.py::test_spatial_audio_framework_matrix",
    ),
    Anchor(
        "Resonance Audio, literal directions of `foa_rotator_test.cc`",
        "channels of turned plane waves, orders 1 and 3",
        "test_rotation.py::test_resonance_audio_directions",
    ),
    Anchor(
        "scipy `Slerp`",
        "unit noise rotated along time by 2 to 5 keys, order 0 to 3",
        "test_rotation.py::test_moving_rotation_is_slerp",
    ),
    Anchor(
        "spaudiopy 0.2.0 `sh_rotation_matrix`, direction as measured (whole degrees)",
        "where the front goes by yaw 30°, pitch 20°, roll 10°",
        "test_rotation.py::test_spaudiopy_equivalence",
        "°",
    ),
    Anchor(
        "SAF `euler2rotationMatrix`, direction as measured (2 decimals)",
        "where the front goes by yaw 30°, pitch 20°, roll 10°",
        "test_rotation.py::test_saf_equivalence",
        "°",
    ),
    Anchor(
        "Furse-Malham: W at −3 dB, then X, Y, Z",
        "`convert` at first order",
        "test_conventions.py::test_fuma_first_order_is_b_format",
    ),
    Anchor(
        "Malham's table of W X Y Z R S T U V K L M N O P Q",
        "`convert` at third order",
        "test_conventions.py::test_fuma_letters",
    ),
    Anchor(
        "AmbiX, the channels of a plane wave at (30°, 30°)",
        "`encode`",
        "test_encoding.py::test_ambix_literal",
    ),
    Anchor(
        "SAF `beamWeightsCardioid2Spherical(1)` (4 decimals)",
        "cardioid",
        "test_beamforming.py::test_spatial_audio_framework_weights",
        case="[cardioid",
    ),
    Anchor(
        "SAF `beamWeightsHypercardioid2Spherical(1)` (4 decimals)",
        "hypercardioid",
        "test_beamforming.py::test_spatial_audio_framework_weights",
        case="[hypercardioid",
    ),
    Anchor(
        "SAF `beamWeightsMaxEV(1)` (an approximation: 0.5744 for 1/√3 = 0.5774)",
        "max-rE",
        "test_beamforming.py::test_spatial_audio_framework_weights",
        case="[max_re",
    ),
    Anchor(
        "spherical-array-processing 0.6.0, supercardioid (4 decimals)",
        "supercardioid",
        "test_beamforming.py::test_sap_supercardioid_weights",
    ),
    Anchor(
        "Gerzon and Barton's dominance matrix",
        "`zoom` by 6 dB, in FuMa",
        "test_transforms.py::test_zoom_is_dominance",
    ),
    Anchor(
        "scipy `ShortTimeFFT`",
        "`stft`, 3 windows and 4 hops",
        "test_spectral.py::test_stft_is_scipys",
    ),
    Anchor(
        "torchaudio `melscale_fbanks` (single precision)",
        "mel filters, 4 banks on both scales",
        "test_features.py::test_mel_filters_are_those_of_torchaudio",
    ),
    Anchor(
        "Slaney's Auditory Toolbox, landmarks of the mel scale",
        "Hz to mel and back",
        "test_features.py::test_slaney_scale_at_its_landmarks",
    ),
    Anchor(
        "SAF 1.3.2, decoders of order 1: sampling, mode matching, EPAD on three layouts",
        "`decoder_matrix`, up to one factor",
        "decoding/test_matrices.py::test_spatial_audio_framework_decoders",
    ),
    Anchor(
        "SAF 1.3.2, AllRAD of order 1 on ten loudspeakers (a sum of 5,200 virtual ones)",
        "`decoder_matrix`, up to one factor",
        "decoding/test_matrices.py::test_spatial_audio_framework_allrad",
    ),
    Anchor(
        "SAF 1.3.2, panning gains on ten loudspeakers (single precision)",
        "`vbap_gains` in 20 directions",
        "decoding/test_vbap.py::test_spatial_audio_framework_gains",
    ),
    Anchor(
        "SAF 1.3.2, least-squares binaural decoder of a rigid sphere, to 3 kHz",
        "`binaural_filters`, complex, of a head on another grid",
        "decoding/test_binaural.py::test_spatial_audio_framework_least_squares",
    ),
    Anchor(
        "SAF 1.3.2, modes of open and rigid spheres (10 decimals)",
        "4π iⁿ bₙ, orders 0 to 4",
        "microphones/test_arrays.py::test_spatial_audio_framework_modes",
    ),
    Anchor(
        "spaudiopy 0.2.0, matrix from A-format (at one point)",
        "`array_filters` at 47 Hz, up to two factors",
        "microphones/test_arrays.py::test_spaudiopy_a_format_matrix",
    ),
    Anchor(
        "scipy `butter`, `sosfilt`: a Linkwitz-Riley crossover",
        "`decode` in two bands",
        "decoding/test_loudspeakers.py::test_dual_band_is_a_crossover_of_two_matrices",
    ),
    Anchor(
        "scipy, spherical Hankel functions of the second kind",
        "`near_field`, complex, degrees 0 to 3, 10 Hz to 2 kHz",
        "test_nearfield.py::test_spherical_hankel_functions",
    ),
    Anchor(
        "ITU-R BS.1770, coefficients at 48 kHz (tables 1 and 2)",
        "the filters of `loudness`",
        "test_loudness.py::test_filters_of_the_standard",
    ),
    Anchor(
        "EBU Tech 3341, test signals 1 to 5 (0.1 LU allowed)",
        "`loudness` of two channels",
        "test_loudness.py::test_minimum_requirements_of_ebu_tech_3341",
        " LU",
    ),
    Anchor(
        "EBU Tech 3341, test signal 6 (0.1 LU allowed)",
        "`loudness` of 5.0 and 5.1",
        "test_loudness.py::test_five_channels_of_ebu_tech_3341",
        " LU",
    ),
    Anchor(
        "A calibration clip that passed through YouTube: piano at +90°, voice at −90°",
        "`read`, then `localize`",
        "test_real_clips.py::test_calibration_sources_are_where_their_author_put_them",
        "°",
    ),
]


class Recorder:
    """A pytest plugin that notes what `assert_allclose` compares in the anchors' tests."""

    @staticmethod
    def anchor(item: pytest.Item) -> Anchor:
        """Return the anchor that an item belongs to."""
        test = f"{item.path.relative_to(TESTS).as_posix()}::{item.originalname}"
        return next(a for a in ANCHORS if a.test == test and a.case in item.name)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item):
        """Record within the test alone, and put back what was there."""
        original, anchor = np.testing.assert_allclose, self.anchor(item)

        @functools.wraps(original)
        def recording(actual, desired, *args, **kwargs):
            difference = np.abs(np.asarray(actual) - np.asarray(desired))
            anchor.deviations.append(float(difference.max(initial=0.0)))
            original(actual, desired, *args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(np.testing, "assert_allclose", recording)
            patch.setattr(item.module, "assert_allclose", recording, raising=False)
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item):
        """Note whether the tests pass, fail or are skipped."""
        report = yield
        if report.when == "call" or not report.passed:
            self.anchor(item).outcomes.add(report.outcome)
        return report


def main(arguments: list[str]) -> int:
    """Measure, print and, if asked to, write the table."""
    items = dict.fromkeys(str(TESTS / anchor.test) for anchor in ANCHORS)
    status = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *items], [Recorder()])
    head = "| What it is compared with | What is compared | Largest deviation | Test |\n"
    table = head + "|---|---|---|---|\n" + "".join(a.row() + "\n" for a in ANCHORS)
    print(table)
    if arguments == ["--write"]:
        page = HERE / "anchors.md"
        before, _, rest = page.read_text().partition(BEGIN)
        page.write_text(before + BEGIN + table + END + rest.partition(END)[2])
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
