"""Small heads on frozen embeddings: the pretext tasks' own, and classifiers of downstream tasks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ambikit import InputError, checks
from ambikit_learn._typing import Floats, Indices

Folds = Sequence[tuple[Indices, Indices]]
"""Numbers of the recordings that each fold trains on, and of those that it tests on."""


@dataclass(frozen=True)
class Predictions:
    """What a probe says of recordings that it was not trained on.

    Attributes
    ----------
    scores : ndarray, shape (n, classes)
        Mean over segments of log-probabilities, or of distances from the boundaries of an SVM; NaN
        where no fold tests.
    classes : tuple of str
        Names of the classes, sorted.
    labels : ndarray of int, shape (n,)
        Numbers of the true classes.
    share : ndarray, shape (n,)
        How many of the segments of a recording are recognised by themselves; NaN if not known.
    """

    scores: Floats
    classes: tuple[str, ...]
    labels: Indices
    share: Floats = field(default_factory=lambda: np.empty(0))

    @property
    def tested(self) -> npt.NDArray[np.bool_]:
        """Which recordings were tested, (n,)."""
        return np.isfinite(self.scores[:, 0])

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the class with the highest score is the true one, of tested recordings."""
        some = self.tested
        right: npt.NDArray[np.bool_] = self.scores[some].argmax(1) == self.labels[some]
        return right

    @property
    def names(self) -> npt.NDArray[np.str_]:
        """Name of the true class of each tested recording."""
        return np.array(self.classes)[self.labels[self.tested]]

    def confusion(self) -> list[list[int]]:
        """Return counts of tested recordings: true classes down, predicted ones across."""
        matrix = np.zeros((len(self.classes),) * 2, int)
        some = self.tested
        np.add.at(matrix, (self.labels[some], self.scores[some].argmax(1)), 1)
        counts: list[list[int]] = matrix.tolist()
        return counts


def cross_validate(
    values: Sequence[npt.NDArray[Any]],
    labels: Sequence[str],
    folds: Folds,
    probe: str,
    *,
    most: int | None = None,
    seed: int = 0,
) -> Predictions:
    """Train a probe on the training recordings of each fold and apply it to those for testing.

    Parameters
    ----------
    values : sequence of ndarray, shape (segments, width)
        Embeddings of each recording. The probe is trained on segments; the score of a recording is
        the mean over its segments.
    labels : sequence of str
        Class of each recording.
    folds : sequence of (ndarray of int, ndarray of int)
        Numbers of recordings. If several folds test on one, its scores are those of the last.
    probe : str
        A key of `PROBES`.
    most : int, optional
        Largest number of segments of a recording, evenly spaced, to train on.
    seed : int
        Random seed of the probe.

    Returns
    -------
    Predictions

    Raises
    ------
    InputError
        If the probe is unknown, or there is too little to train it on.

    Examples
    --------
    >>> import numpy as np
    >>> values = [np.array([[x, 0.0], [x, 1.0]]) for x in (-2.0, -1.0, 1.0, 2.0)]
    >>> folds = [(np.array([0, 3]), np.array([1, 2])), (np.array([1, 2]), np.array([0, 3]))]
    >>> found = cross_validate(values, ["left", "left", "right", "right"], folds, "linear")
    >>> found.right.tolist(), found.confusion()
    ([True, True, True, True], [[2, 0], [0, 2]])
    """
    make = PROBES[checks.choice(probe, tuple(PROBES), "probe")]
    classes, numbers = np.unique(labels, return_inverse=True)
    scores = np.full((len(values), len(classes)), np.nan)
    share = np.full(len(values), np.nan)
    for train, test in folds:
        features, owners = _stacked(values, train, most)
        head = make(seed)
        fit_probe(head, features, numbers[train][owners], probe)
        features, owners = _stacked(values, test)
        found = _log_scores(head, features)
        sums = np.zeros((len(test), len(classes)))
        whole = np.full((len(owners), len(classes)), found.min())
        whole[:, head.classes_] = found
        np.add.at(sums, owners, whole)
        scores[test] = sums / np.bincount(owners)[:, None]
        alone = whole.argmax(1) == numbers[test][owners]
        share[test] = np.bincount(owners, alone) / np.bincount(owners)
    return Predictions(scores, tuple(map(str, classes)), numbers, share)


def fit_probe(head: Any, features: npt.NDArray[Any], targets: npt.NDArray[Any], name: str) -> None:
    """Train a head of scikit-learn on features (n, width).

    Raises
    ------
    InputError
        If there are too few of them, or all are of one class.
    """
    with warnings.catch_warnings():
        # A probe that has not converged is a probe with earlier stopping
        warnings.filterwarnings("ignore", module="sklearn", message=".*converge.*")
        try:
            head.fit(features, targets)
        except ValueError as error:
            raise InputError(
                f"the probe {name!r} cannot be trained on {len(features)} vectors "
                f"({' '.join(str(error).split())}): give it more, or leave this probe out"
            ) from error


def _stacked(
    values: Sequence[npt.NDArray[Any]], some: Indices, most: int | None = None
) -> tuple[npt.NDArray[Any], Indices]:
    """Return segments of some recordings, and the position in `some` of each one's."""
    parts = [values[i] for i in some]
    if most is not None:
        parts = [
            x if len(x) <= most else x[np.linspace(0, len(x) - 1, most).astype(int)] for x in parts
        ]
    owners = np.repeat(np.arange(len(some)), [len(part) for part in parts])
    return np.concatenate(parts), owners


def _log_scores(head: Any, features: npt.NDArray[Any]) -> Floats:
    """Return the scores (n, classes) that a probe gives its classes."""
    if hasattr(head, "predict_proba"):
        told: Floats = np.asarray(head.predict_proba(features), float)
        return np.log(np.maximum(told, 1e-12))
    found = np.asarray(head.decision_function(features), float)
    return np.stack([-found, found], 1) if found.ndim == 1 else found


def _linear(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return _standardised(LogisticRegression(C=0.1, max_iter=1000, random_state=seed))


def _mlp(seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return _standardised(
        MLPClassifier((256,), alpha=1e-3, early_stopping=True, max_iter=100, random_state=seed)
    )


def _knn(seed: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return _standardised(KNeighborsClassifier(10, metric="cosine", weights="distance"))


def _svm(seed: int) -> Any:
    from ambikit_learn.evaluation.linear_svm import LinearSVM

    return _standardised(LinearSVM(C=1e-2))


def _standardised(head: Any) -> Any:
    """Return a head on features that are standardised by those of its training."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), head)


PROBES: dict[str, Callable[[int], Any]] = {
    "linear": _linear,
    "mlp": _mlp,
    "knn": _knn,
    "svm": _svm,
}
"""Classifiers on standardised embeddings, by name, each a function of a random seed: logistic
regression (C 0.1), one hidden layer of 256, ten nearest neighbours by cosine, linear SVM."""


def train_head(features: Tensor, labels: Tensor, *, seed: int, epochs: int = 10) -> nn.Module:
    """Concatenation -> dropout 0.5 -> 512 -> ReLU -> 1, with each view as a separate example."""
    mean, scale = features.mean((0, 1)), features.std((0, 1)) + 1e-6
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = Head(mean, scale)
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-3, weight_decay=1e-5)
        # Without the decay, which is the baseline's, the last step changes accuracies by points
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [8], gamma=0.1)
        targets = labels[:, None].expand(features.shape[:2])
        for _ in range(epochs):
            for index in torch.split(torch.randperm(len(features)), 32):
                loss = nn.functional.binary_cross_entropy_with_logits(
                    head(features[index]), targets[index]
                )
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
            schedule.step()
    return head.eval()


class Head(nn.Module):
    """The baseline's binary classifier, on standardised embeddings."""

    def __init__(self, mean: Tensor, scale: Tensor, hidden: int = 512) -> None:
        super().__init__()
        self.mean, self.scale = nn.Buffer(mean), nn.Buffer(scale)
        self.layers = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(len(mean), hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(..., 2 * width) -> (...)."""
        logits: Tensor = self.layers((features - self.mean) / self.scale)
        return logits.squeeze(-1)
