"""Scores of sound events: published vectors, corner cases, a slow oracle, and refused input."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambikit import InputError
from ambikit_learn.evaluation.seld import seld_scores
from ambikit_learn.evaluation.seld_counts import _assignments
from tests.ambikit_learn.evaluation import naive_seld

FIRST = range(10)


def event(azimuth, frames=FIRST, *, kind=0, elevation=0, track=0, distance=None):
    rest = [] if distance is None else [distance]
    return [[frame, kind, track, azimuth, elevation, *rest] for frame in frames]


def together(*events):
    return sorted((row for one in events for row in one), key=lambda row: row[0])


def scored(truth, guess, classes, rules="dcase2023", **options):
    found = seld_scores(truth, guess, classes=classes, rules=rules, **options)
    return tuple(found.values())


# Reference, prediction, classes; error rate, F, localisation error and recall, SELD as computed by
# the baseline of DCASE 2023 itself
VECTORS_2023 = {
    "exact": (event(0), event(0), 1, (0, 1, 0, 1, 0)),
    "10° off": (event(0), event(10), 1, (0, 1, 10, 1, 0.01389)),
    "21° off": (event(0), event(21), 1, (1, 0, 21, 1, 0.52917)),
    "no prediction": (event(0), [], 1, (1, 0, 180, 0, 1)),
    "absent class": (event(0), event(0), 2, (0, 0.5, 90, 0.5, 0.375)),
    "wrong class": (event(0), event(0, kind=1), 2, (1, 0, 180, 0, 1)),
    "extra class": (
        event(0),
        together(event(0), event(0, kind=1)),
        2,
        (1, 0.5, 90, 0.5, 0.625),
    ),
    "one of two": (
        together(event(0), event(90, track=1)),
        event(80),
        1,
        (0.5, 0.66667, 10, 0.5, 0.34722),
    ),
    "two for one": (
        event(0),
        together(event(40), event(10, track=1)),
        1,
        (1, 0.66667, 10, 1, 0.34722),
    ),
    "half of the time": (event(0, range(20)), event(0), 1, (0.5, 0.66667, 0, 0.5, 0.33333)),
    "high": (
        event(0, elevation=60),
        event(40, elevation=60),
        1,
        (0, 1, 19.6931, 1, 0.02735),
    ),
    "behind": (event(175), event(-175), 1, (0, 1, 10, 1, 0.01389)),
}


@pytest.mark.parametrize("name", VECTORS_2023)
def test_vectors_of_dcase_2023(name):
    truth, guess, classes, expected = VECTORS_2023[name]
    assert scored(truth, guess, classes) == pytest.approx(expected, abs=1e-3)


def test_pooled_classes_of_dcase_2023():
    truth, guess, classes, _ = VECTORS_2023["extra class"]
    assert scored(truth, guess, classes, micro=True) == pytest.approx(
        (1, 0.66667, 0, 1, 0.33333), abs=1e-3
    )


NEAR = event(0, distance=2)
VECTORS_2024 = {
    "10° and 1 m off": (NEAR, event(10, distance=3), 1, (1, 10, 0.5, 0.18519)),
    "twice as far": (NEAR, event(0, distance=4), 1, (1, 0, 1, 0.33333)),
    "farther": (NEAR, event(0, distance=4.1), 1, (0, 0, 1.05, 0.68333)),
    "absent class": (NEAR, event(10, distance=3), 2, (0.5, 10, 0.5, 0.59259)),
    "no prediction": (NEAR, [], 1, (0, math.nan, math.nan, 1)),
    "one of two": (
        together(NEAR, event(90, track=1, distance=1)),
        event(80, distance=1.5),
        1,
        (0.66667, 10, 0.5, 0.2963),
    ),
    "half of the time": (NEAR, event(0, range(5), distance=2), 1, (0.71429, 0, 0, 0.09524)),
    "one of two, exact": (
        together(NEAR, event(90, track=1, distance=2)),
        event(0, distance=2),
        1,
        (0.66667, 0, 0, 0.11111),
    ),
}


@pytest.mark.parametrize("name", VECTORS_2024)
def test_vectors_of_dcase_2024(name):
    truth, guess, classes, expected = VECTORS_2024[name]
    found = scored(truth, guess, classes, "dcase2024")
    assert found == pytest.approx(expected, abs=1e-3, nan_ok=True)


def test_jackknife_over_three_files():
    found = seld_scores([event(0)] * 3, [event(10), event(40), []], classes=1)
    assert found.f == pytest.approx(0.4)
    f = found.jackknife["f"]
    assert (f.estimate, f.error) == pytest.approx((0.42222, 0.40062), abs=1e-5)
    assert (f.low, f.high) == pytest.approx((-1.302, 2.146), abs=1e-3)
    each = found.per_class_jackknife["f"]
    assert each.low == pytest.approx([f.low])
    assert each.error == pytest.approx([f.error])
    assert not seld_scores(event(0), event(0), classes=1).jackknife


def strict(truth, guess, classes=1, **options):
    return scored(truth, guess, classes, "strict", **options)


class TestCornerCases:
    """What the rules of DCASE keep, and "strict" repairs: the names are those of the docstring."""

    def test_length(self):
        late = together(event(0), event(0, range(20, 30)))
        assert scored(event(0), late, 1) == pytest.approx((0, 1, 0, 1, 0))
        assert strict(event(0), late)[:2] == pytest.approx((1, 2 / 3))

    @pytest.mark.parametrize("last", [10, 20])
    def test_last_frame(self, last):
        truth = event(0, range(last + 1))
        guess = together(event(0, range(last)), event(170, [last]))
        assert scored(truth, guess, 1)[1] == pytest.approx(1)
        assert strict(truth, guess)[1] == pytest.approx(last // 10 / (last // 10 + 1))
        # Any other last frame counts
        other = together(event(0, range(last)), event(170, [last, last + 1]))
        assert scored(event(0, range(last + 2)), other, 1)[1] < 0.9

    def test_last_frame_of_2024(self):
        guess = event(0, range(9), distance=2)
        assert scored(NEAR, guess, 1, "dcase2024")[0] == pytest.approx(1)
        assert scored(NEAR, guess[:-1], 1, "dcase2024")[0] < 0.99

    def test_only_frame(self):
        found = seld_scores(event(0, [0]), event(0, [0]), classes=1)
        assert found.reference_events.tolist() == [0.0]
        assert strict(event(0, [0]), event(0, [0])) == pytest.approx((0, 1, 0, 1, 0))

    def test_missing_file(self):
        truth, guess = [event(0), event(0)], [event(0), None]
        assert scored(truth, guess, 1) == pytest.approx((0, 1, 0, 1, 0))
        assert strict(truth, guess) == pytest.approx((0.5, 2 / 3, 0, 0.5, 1 / 3))
        assert strict(truth, guess) == strict(truth, [event(0), []])

    def test_empty_reference(self):
        with pytest.raises(InputError, match=r"^reference, file 2 is empty: .*strict"):
            scored([event(0), []], [event(0), []], 1)
        assert strict([event(0), []], [event(0), []]) == pytest.approx((0, 1, 0, 1, 0))
        assert strict([event(0), []], [event(0), event(0)])[:2] == pytest.approx((1, 2 / 3))

    def test_double_credit(self):
        # The rows of two events change places halfway
        early = together(event(0, range(5)), event(90, range(5), track=1))
        late = together(event(90, range(5, 10), track=1), event(0, range(5, 10)))
        truth = early + late
        assert scored(truth, event(0), 1)[1:4] == pytest.approx((2 / 2.5, 0, 2 / 3))
        assert strict(truth, event(0))[1:4] == pytest.approx((2 / 3, 0, 1 / 2))

    def test_double_credit_of_one_between_two(self):
        truth = together(event(0), event(20, track=1))
        guess = event(8, range(6)) + event(12, range(6, 10))
        assert scored(truth, guess, 1)[1:4] == pytest.approx((2 / 2.5, 8, 2 / 3))
        # The event that was matched longer, and not the other
        assert strict(truth, guess)[1:4] == pytest.approx((2 / 3, 8, 1 / 2))

    def test_no_common_frame(self):
        truth = event(0, range(5))
        guess = together(event(0, range(5, 10)), event(90, range(5, 10), track=1))
        # Two predictions are missed, although there is one event
        assert scored(truth, guess, 1)[:4] == pytest.approx((2, 0, 180, 0))
        assert strict(truth, guess)[:4] == pytest.approx((2, 0, 180, 0))
        assert scored(guess, truth, 1)[0] == pytest.approx(0.5)
        assert strict(guess, truth)[0] == pytest.approx(1.0)

    def test_absent_classes(self):
        found = seld_scores(event(0), event(0), classes=13)
        assert found.f == pytest.approx(1 / 13)
        assert found.le == pytest.approx(180 * 12 / 13)
        assert strict(event(0), event(0), 13) == pytest.approx((0, 1, 0, 1, 0))
        extra = together(event(0), event(0, kind=1))
        assert strict(event(0), extra, 2) == pytest.approx((1, 1, 0, 1, 0.25))
        assert strict(event(0), extra, 2, micro=True)[1] == pytest.approx(2 / 3)
        assert all(map(math.isnan, strict([], event(0))))

    def test_rounded_angles(self):
        assert [scored(event(a), event(a + 20), 1)[1] for a in (0, 30)] == pytest.approx([1, 0])
        assert [strict(event(a), event(a + 20))[1] for a in (0, 30)] == [1.0, 1.0]
        assert strict(event(0), event(20.00001))[1] == 0.0
        offset = scored(NEAR, NEAR, 1, "dcase2024")[1]
        assert offset == pytest.approx(math.degrees(math.sqrt(2e-10)), rel=1e-3)
        assert strict(event(33, elevation=12), event(33, elevation=12))[2] == 0.0


def test_result_is_a_mapping_with_attributes():
    found = seld_scores(event(0), event(10), classes=["bell", "dog"])
    assert list(found) == ["er", "f", "le", "lr", "seld"]
    assert found["le"] == found.le == pytest.approx(95.0)
    assert found.classes == ("bell", "dog")
    assert found.per_class["le"] == pytest.approx([10.0, 180.0])
    assert found.per_class["er"].tolist() == [0.0, 0.0]
    assert found.reference_events.tolist() == [1.0, 0.0]
    with pytest.raises(AttributeError, match="no score 'doae': there are er, f, le, lr, seld"):
        _ = found.doae
    assert pickle.loads(pickle.dumps(found)).f == found.f


def test_thresholds():
    assert scored(event(0), event(21), 1, threshold=25)[1] == pytest.approx(1)
    far = event(0, distance=4.1)
    assert scored(NEAR, far, 1, "dcase2024", distance_threshold=1.1)[0] == pytest.approx(1)


@st.composite
def recordings(draw, *, nonempty=True):
    """A few events of two classes, most of them several frames long and many of them close."""
    rows = []
    for _ in range(draw(st.integers(1 if nonempty else 0, 5))):
        start = draw(st.integers(0, 24))
        stop = start + draw(st.integers(1, 14))
        kind, track = draw(st.integers(0, 1)), draw(st.integers(0, 2))
        azimuth = draw(st.integers(-18, 18)) * 9.7
        elevation = draw(st.integers(-4, 4)) * 21.3
        distance = draw(st.integers(1, 8)) / 2
        rows += [[f, kind, track, azimuth, elevation, distance] for f in range(start, stop)]
    order = draw(st.permutations(range(len(rows))))
    return sorted((rows[i] for i in order), key=lambda row: row[0])


@given(
    rules=st.sampled_from(["dcase2023", "dcase2024", "strict"]),
    micro=st.booleans(),
    truth=st.lists(recordings(), min_size=1, max_size=3),
    data=st.data(),
)
def test_scores_are_those_of_loops(rules, micro, truth, data):
    guess = [data.draw(recordings(nonempty=False)) for _ in truth]
    found = seld_scores(truth, guess, classes=3, rules=rules, micro=micro)
    expected = naive_seld.scores(rules, truth, guess, 3, micro=micro)
    assert dict(found) == pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_assignments_cost_least(n, m, seed):
    cost = np.random.default_rng(seed).integers(0, 6, (4, n, m)).astype(float)
    rows, columns = _assignments(cost)
    for matrix, i, j in zip(cost, rows, columns, strict=True):
        assert len(set(i)) == len(set(j)) == min(n, m)
        assert matrix[i, j].sum() == naive_seld.cheapest(matrix)


@given(st.lists(recordings(nonempty=False), min_size=2, max_size=2))
def test_strict_counts_add_up(pair):
    truth, guess = pair
    found = seld_scores(truth, guess, classes=2, rules="strict", micro=True)
    if not truth:
        return
    # A perfect prediction is perfect, whatever the order of its rows and tracks
    again = [[frame, kind, 9 - track, *rest] for frame, kind, track, *rest in truth]
    best = seld_scores(truth, again, classes=2, rules="strict")
    assert tuple(best.values()) == pytest.approx((0, 1, 0, 1, 0), abs=1e-9)
    assert found.f <= 1.0
    assert found.lr <= 1.0


@pytest.mark.parametrize("rules", ["dcase2023", "strict"])
def test_files_add_up(rules):
    """One file after the other is as both in one, a whole number of segments apart."""
    a, b = event(0, range(15)), event(50, range(5, 25))
    shift = [[frame + 40, *rest] for frame, *rest in b]
    one = scored(a + shift, a + shift[:7], 1, rules)
    assert one == pytest.approx(scored([a, b], [a, b[:7]], 1, rules))


BAD = {
    "frames": ([[1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], "row 2: frame 0 comes after frame 1"),
    "negative": ([[-1, 0, 0, 0, 0]], "row 1: frame -1 is negative"),
    "half": ([[0.5, 0, 0, 0, 0]], "row 1: frame 0.5 is no whole number"),
    "class": ([[0, 0, 0, 0, 0], [0, 2, 0, 0, 0]], "row 2: class 2 is unknown: there are 2 classes"),
    "azimuth": ([[0, 0, 0, 181, 0]], "row 1: azimuth 181 is out of range"),
    "elevation": ([[0, 0, 0, 0, -91]], "row 1: elevation -91 is out of range"),
    "nan": ([[0, 0, 0, 0, 0], [1, 0, 0, math.nan, 0]], "row 2: azimuth nan is no number"),
    "infinite": ([[0, 0, math.inf, 0, 0]], "row 1: track inf is no number"),
    "distance": ([[0, 0, 0, 0, 0, -1]], "row 1: distance -1 is negative"),
    "columns": ([[0, 0, 0, 0]], r"shape \(1, 4\)"),
    "ragged": ([[0, 0, 0, 0, 0], [0, 0, 0, 0]], "no table of numbers"),
    "words": ([["a", 0, 0, 0, 0]], "no table of numbers"),
}


@pytest.mark.parametrize("side", ["reference", "prediction"])
@pytest.mark.parametrize("name", BAD)
def test_bad_rows_are_named(name, side):
    rows, message = BAD[name]
    good = event(0)
    pair = ([good, rows], [good, good]) if side == "reference" else ([good, good], [good, rows])
    with pytest.raises(InputError, match=rf"^{side}, file 2.*{message}") as caught:
        seld_scores(*pair, classes=2)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=rf"^{side} of b\.csv.*{message}"):
        seld_scores(*pair, classes=2, names=["a.csv", "b.csv"])


def test_other_bad_input():
    good = event(0)
    with pytest.raises(InputError, match="2 files of reference and 1 of prediction"):
        scored([good, good], [good], 1)
    with pytest.raises(InputError, match="prediction has no distances"):
        scored(NEAR, good, 1, "dcase2024")
    with pytest.raises(InputError, match="rules"):
        scored(good, good, 1, "dcase2025")
    with pytest.raises(InputError, match="classes"):
        scored(good, good, 0)
    with pytest.raises(InputError, match="names for"):
        scored([good, good], [good, good], 1, names=["a"])
    with pytest.raises(InputError, match="no files to score"):
        scored([good], [None], 1)
    with pytest.raises(InputError, match="only predictions may be missing"):
        scored([None], [good], 1)


def test_arrays_lists_and_lists_of_them_are_the_same():
    a, b = event(0, range(15)), event(30, range(12))
    expected = scored([a, b], [b, a], 1)
    assert scored([np.array(a), np.array(b)], [np.array(b), np.array(a)], 1) == expected
    assert scored(np.array(a), np.array(b), 1) == scored(a, b, 1) == scored([a], [b], 1)
    assert scored([a], [np.empty((0, 5))], 1) == scored(a, [], 1) == scored([a], [[]], 1)
