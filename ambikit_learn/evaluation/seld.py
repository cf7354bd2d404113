"""Scores of sound event localisation and detection, by the rules of DCASE and repaired ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from ambikit import InputError, checks
from ambikit_learn._typing import Floats
from ambikit_learn.evaluation.seld_counts import (
    Counts,
    Definition,
    cartesian_angle,
    count_events,
    exact_angle,
    polar_angle,
)
from ambikit_learn.sources.events import event_rows

Rules = Literal["dcase2023", "dcase2024", "strict"]
Events = npt.ArrayLike | Sequence[npt.ArrayLike | None]

DEFINITIONS = {
    "dcase2023": Definition(polar_angle, 10, "last"),
    "dcase2024": Definition(cartesian_angle, 1, "before last", distances=True),
    "strict": Definition(exact_angle, 10, "all", by_track=True),
}
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Jackknife:
    """A score without the bias of few files, its standard error over files, and an interval.

    Attributes
    ----------
    estimate : float or ndarray
        Score less the estimate of its bias.
    error : float or ndarray
        Standard error.
    low, high : float or ndarray
        Bounds of the interval, by Student's distribution; they may leave the range of the score.
    """

    estimate: float | Floats
    error: float | Floats
    low: float | Floats
    high: float | Floats


@dataclass(frozen=True, eq=False)
class SeldScores(Mapping[str, float]):
    """Scores by name, as a mapping and as attributes; see `seld_scores`.

    Attributes
    ----------
    rules : {"dcase2023", "dcase2024", "strict"}
        Rules of the scores.
    classes : tuple of str
        Names of the classes.
    scores : dict
        Name -> score: ``er``, ``f``, ``le`` in degrees, ``lr`` and ``seld``; or ``f``, ``doae`` in
        degrees, ``rde`` and ``seld``.
    per_class : dict
        Name -> scores (classes,). ``er`` is that of all classes.
    reference_events : ndarray, shape (classes,)
        Number of reference events that counted: 0 for classes that are absent.
    jackknife : dict
        Name -> `Jackknife` over files; empty for fewer than two files.
    per_class_jackknife : dict
        The same for `per_class`, with arrays (classes,).
    """

    rules: Rules
    classes: tuple[str, ...]
    scores: dict[str, float]
    per_class: dict[str, Floats]
    reference_events: Floats
    jackknife: dict[str, Jackknife]
    per_class_jackknife: dict[str, Jackknife]

    def __getitem__(self, name: str) -> float:
        return self.scores[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)

    def __getattr__(self, name: str) -> float:
        # Only for names that are no attributes; `scores` itself is missing while unpickling
        found = self.__dict__.get("scores", {})
        if name not in found:
            raise AttributeError(f"no score {name!r}: there are {', '.join(found)}")
        return float(found[name])


def seld_scores(
    reference: Events,
    prediction: Events,
    *,
    classes: int | Sequence[str],
    rules: Rules = "dcase2023",
    micro: bool = False,
    threshold: float = 20.0,
    distance_threshold: float = 1.0,
    names: Sequence[str] | None = None,
    level: float = 0.95,
) -> SeldScores:
    r"""Score detected sound events with directions against the true ones.

    Parameters
    ----------
    reference, prediction : array_like, shape (n, 5) or (n, 6), or sequences of them
        Events of a file, or of several files in the same order: frame of 0.1 s, class, track,
        azimuth and elevation in degrees, and distance in metres, which only ``"dcase2024"`` uses
        (and requires), sorted by frame. A prediction without events is an array of size 0; None
        is a file that was not delivered.
    classes : int or sequence of str
        Number or names of the classes.
    rules : {"dcase2023", "dcase2024", "strict"}
        ``"dcase2023"``: as the baselines of DCASE 2022 and 2023 compute. ``"dcase2024"``: as that
        of 2024. ``"strict"``: the scores of ``"dcase2023"`` without its corner cases, see Notes.
    micro : bool
        Pool the counts of all classes, instead of averaging the scores of classes.
    threshold : float
        Largest angle of a right event, in degrees.
    distance_threshold : float
        Largest relative error of the distance of a right event, for ``"dcase2024"``.
    names : sequence of str, optional
        Names of the files, for messages; by default they are counted from 1.
    level : float
        Coverage of the jackknife's intervals.

    Returns
    -------
    SeldScores
        ``er``, ``f``, ``le``, ``lr`` and ``seld``, or ``f``, ``doae``, ``rde`` and ``seld``; with
        the same per class, and their jackknife over files.

    Raises
    ------
    InputError
        If the numbers of files differ, `classes` or `rules` is unknown; if a row cannot be used
        (columns, frames out of order, unknown class, angle out of range, NaN), with file and row;
        if distances are missing; or if a file without reference events is scored by the rules of
        DCASE, which have no length for it.

    Notes
    -----
    Segments of 10 frames, or single frames in ``"dcase2024"``. In a segment and class there are
    :math:`R` true and :math:`P` predicted events, the largest numbers in a frame. In each frame
    they are matched so that the sum of angles is least (Hungarian algorithm), and the angles of a
    true event are averaged over the segment. A match within `threshold` is right (TP), beyond it
    displaced (DP). Of what is left, :math:`FN = \max(0, R - P)` are missed and
    :math:`FP = \max(0, P - R)` are extra. With :math:`N` true events in all,

    .. math::
        F &= \frac{TP}{TP + DP + \tfrac12 (FP + FN)}, \qquad
        LR = \frac{TP + DP}{TP + DP + FN}, \qquad
        LE = \text{mean angle of matches}, \\
        ER &= \tfrac1N \sum_{\text{segments}} \max(DP + FP, FN), \qquad
        SELD = \tfrac14 \left(ER + 1 - F + LE / 180 + 1 - LR\right).

    ER is of all classes together; the others are averaged over classes. ``"dcase2024"`` calls the
    mean angle DOAE and that of relative errors of the distance RDE; a class without matches has
    none, and is left out of their mean; SELD is the mean of 1 − F, DOAE / 180 and RDE, of those
    that a class has.

    Corner cases of the baselines, which the rules of DCASE keep and ``"strict"`` repairs:

    ``length``
        A recording ends with its last true event: later predictions count for nothing. In
        ``"strict"`` they are extra.
    ``last frame``
        If that event lies in frame 10, 20, ... the frame is lost (in ``"dcase2024"``, always).
    ``missing file``
        A file that was not delivered takes its true events along. In ``"strict"`` they are missed.
    ``empty reference``
        The baselines fail; here that is an error, and in ``"strict"`` a recording without events.
    ``double credit``
        Angles are averaged by the place of a row in its frame, whatever its track, and one
        prediction that meets different rows in different frames is credited for each of them. In
        ``"strict"`` they are averaged by track, and at most min(R, P) matches are credited, so that
        TP + DP + FN = R and TP + DP + FP = P.
    ``no common frame``
        If both kinds of events are in a segment but never in the same frame, P are missed and none
        is extra. In ``"strict"`` R are missed and P are extra.
    ``absent classes``
        A class without true events has F = 0, LE = 180° and LR = 0: with one class of 13, perfect
        predictions have F = 7.7%. In ``"strict"`` the means are over the classes that have true
        events, while false alarms of others count in ER and with `micro`; without any true event
        the scores are NaN.
    ``rounded angles``
        30° and 50° are more than 20° apart, 0° and 20° are not; in ``"dcase2024"`` equal directions
        are 0.0008° apart. In ``"strict"`` angles are exact to 1e-9°.

    With :math:`n` files, score :math:`g` and scores :math:`p_i` of all files but one, the jackknife
    [3]_ estimates the bias :math:`b = (n - 1)(\bar p - g)`, the score :math:`g - b` and the error
    :math:`\sqrt{(n - 1) \cdot \text{mean}((p_i - \bar p)^2)}`: the variance over recordings of a
    trained system, not that of training.

    References
    ----------
    .. [1] A. Mesaros, S. Adavanne, A. Politis, T. Heittola, T. Virtanen, "Joint measurement of
           localization and detection of sound events", WASPAA 2019.
    .. [2] A. Politis, A. Mesaros, S. Adavanne, T. Heittola, T. Virtanen, "Overview and evaluation
           of sound event localization and detection in DCASE 2019", IEEE/ACM Transactions on Audio,
           Speech, and Language Processing 29 (2021), 684-698.
    .. [3] B. Efron, C. Stein, "The jackknife estimate of variance", Annals of Statistics 9 (1981),
           586-596.

    Examples
    --------
    A bell in front for two seconds, heard 10° to the left, and a false alarm of another class:

    >>> import numpy as np
    >>> def event(label, azimuth, frames):
    ...     return [[frame, label, 0, azimuth, 0] for frame in range(frames)]
    >>> truth = event(0, 0, 20)
    >>> heard = sorted(event(0, 10, 20) + event(1, 90, 10))
    >>> scores = seld_scores(truth, heard, classes=["bell", "dog"])
    >>> {name: round(score, 3) for name, score in scores.items()}
    {'er': 0.5, 'f': 0.5, 'le': 95.0, 'lr': 0.5, 'seld': 0.507}
    >>> strict = seld_scores(truth, heard, classes=["bell", "dog"], rules="strict")
    >>> round(strict.f, 3), round(strict.le, 3), strict.per_class["f"].round(3).tolist()
    (1.0, 10.0, [1.0, 0.0])
    """
    definition = DEFINITIONS[checks.choice(rules, get_args(Rules), "rules")]
    labels = _labels(classes)
    truth, guess = _files(reference), _files(prediction)
    if len(truth) != len(guess):
        raise InputError(
            f"{len(truth)} files of reference and {len(guess)} of prediction: give one prediction "
            "for each, None if it is missing"
        )
    if names is not None and len(names) != len(truth):
        raise InputError(f"{len(names)} names for {len(truth)} files: give one for each")
    checked = [
        _pair(rows, said, rules, len(labels), _name(number, names, len(truth)))
        for number, (rows, said) in enumerate(zip(truth, guess, strict=True))
        if said is not None or rules == "strict"
    ]
    if not checked:
        raise InputError("there are no files to score: give at least one with its prediction")
    counts = count_events(
        [rows for rows, _ in checked],
        [rows for _, rows in checked],
        len(labels),
        definition,
        angle_limit=checks.within(threshold, 0.0, 180.0, "threshold"),
        distance_limit=checks.positive(distance_threshold, "distance_threshold"),
    )
    total = counts.total()
    scores, per_class = _scores(total, rules, micro)
    jackknife, by_class = {}, {}
    if len(checked) > 1:
        parts = [_scores(part, rules, micro) for part in counts.without_each()]
        for name in scores:
            values = np.array([part[name] for part, _ in parts])
            found = _jackknife(np.array(scores[name]), values, level)
            jackknife[name] = Jackknife(*(float(x) for x in found))
            values = np.array([part[name] for _, part in parts])
            by_class[name] = Jackknife(*_jackknife(per_class[name], values, level))
    return SeldScores(rules, labels, scores, per_class, total.reference, jackknife, by_class)


def _labels(classes: int | Sequence[str]) -> tuple[str, ...]:
    """Return the names of the classes."""
    if isinstance(classes, str):
        raise InputError(f"classes {classes!r} is one text: give a number, or a list of names")
    if isinstance(classes, Sequence):
        count = checks.positive_int(len(classes), "the number of classes")
        return tuple(map(str, classes[:count]))
    return tuple(map(str, range(checks.positive_int(classes, "classes"))))


def _files(events: Any) -> list[Any]:
    """Return the events of each file."""
    if isinstance(events, np.ndarray):
        return [events] if events.ndim < 3 else list(events)
    if not isinstance(events, Sequence):
        return [np.asarray(events)]
    # A list of rows is one file, a list of tables are several: a row holds numbers
    several = any(part is None or np.ndim(_first(part)) for part in events)
    empty = len(events) > 0 and all(part is not None and np.size(part) == 0 for part in events)
    return list(events) if several or empty else [events]


def _first(part: Any) -> Any:
    """Return the first element of a sequence or array, or 0."""
    return part[0] if isinstance(part, Sequence | np.ndarray) and len(part) else 0


def _name(number: int, names: Sequence[str] | None, files: int) -> str:
    """Return how messages name a file, after the word for its side."""
    if names is not None:
        return f" of {names[number]}"
    return f", file {number + 1}" if files > 1 else ""


def _pair(
    truth: npt.ArrayLike | None, guess: npt.ArrayLike | None, rules: Rules, classes: int, name: str
) -> tuple[Floats, Floats]:
    """Return the checked rows of a file."""
    if truth is None:
        raise InputError(f"reference{name} is None: only predictions may be missing")
    rows = event_rows(truth, f"reference{name}", classes=classes)
    said = event_rows([] if guess is None else guess, f"prediction{name}", classes=classes)
    if rules != "strict" and not len(rows):
        raise InputError(
            f"reference{name} is empty: the rules of DCASE have no length for it; leave the file "
            'out, or take rules="strict"'
        )
    for side, table in (("reference", rows), ("prediction", said)):
        if rules == "dcase2024" and len(table) and table.shape[1] < 6:
            raise InputError(f"{side}{name} has no distances, which dcase2024 scores: add a column")
    return rows, said


def _scores(
    counts: Counts, rules: Rules, micro: bool
) -> tuple[dict[str, float], dict[str, Floats]]:
    """Return the scores of counts (classes,), over all classes and per class."""
    # The baselines divide by sums that are larger by this, so that 0 / 0 is 0
    eps = 0.0 if rules == "strict" else _EPS
    with np.errstate(divide="ignore", invalid="ignore"):
        events = counts.reference.sum() + eps
        er = float(counts.errors / events) if events else float("nan")
        per_class = _ratios(counts, er, rules, eps)
        if micro:
            pooled = {
                name: np.asarray(value)[None] if name == "errors" else value.sum(keepdims=True)
                for name, value in vars(counts).items()
            }
            averaged = _ratios(Counts(**pooled), er, rules, eps)
        elif rules == "strict":
            present = counts.reference > 0
            averaged = {name: values[present] for name, values in per_class.items()}
        else:
            averaged = per_class
    return {name: _mean(values) for name, values in averaged.items()}, per_class


def _ratios(counts: Counts, er: float, rules: Rules, eps: float) -> dict[str, Floats]:
    """Return the scores of each class."""
    matched = counts.right + counts.displaced
    f = counts.right / (eps + matched + 0.5 * (counts.extra + counts.missed))
    angle = counts.angle / (matched + eps)
    none = matched == 0
    if rules == "dcase2024":
        angle = np.where(none, np.nan, angle)
        distance = np.where(none, np.nan, counts.distance / (matched + eps))
        shares = np.stack([1 - f, angle / 180, distance])
        seld = np.nansum(shares, 0) / np.isfinite(shares).sum(0)
        return {"f": f, "doae": angle, "rde": distance, "seld": seld}
    angle = np.where(none, 180.0, angle)
    recall = matched / (eps + matched + counts.missed)
    if rules == "strict":
        absent = counts.reference == 0
        angle, recall = np.where(absent, np.nan, angle), np.where(absent, np.nan, recall)
    every = np.full(len(f), er)
    seld = (every + 1 - f + angle / 180 + 1 - recall) / 4
    return {"er": every, "f": f, "le": angle, "lr": recall, "seld": seld}


def _mean(values: Floats) -> float:
    """Return the mean of those values that are numbers, NaN if none is."""
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if len(numbers) else float("nan")


def _jackknife(
    score: Floats, without_each: Floats, level: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return estimate, error and interval of scores S from those (n, *S) without each file."""
    n = len(without_each)
    mean = without_each.mean(0)
    estimate = score - (n - 1) * (mean - score)
    error = np.sqrt((n - 1) * np.square(without_each - mean).mean(0))
    reach = stdtrit(n - 1, 0.5 + checks.fraction(level, "level") / 2) * error
    return estimate, error, estimate - reach, estimate + reach
