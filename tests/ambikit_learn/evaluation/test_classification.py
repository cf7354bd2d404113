"""Probes and folds on embeddings with known answers, and embeddings that are kept by content."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.metrics
import sklearn.svm
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ambikit import InputError
from ambikit_learn.evaluation import classification
from ambikit_learn.evaluation.classification import Classification, check_folds, voted
from ambikit_learn.evaluation.embeddings import Embedder, Recording, embed, fingerprint
from ambikit_learn.evaluation.intervals import Estimate, bootstrap, bootstrap_mean, compare
from ambikit_learn.evaluation.linear_svm import LinearSVM
from ambikit_learn.evaluation.probe import PROBES, Predictions, cross_validate
from ambikit_learn.evaluation.results import TaskResults

CLASSES = ("a", "b", "c")


def points(seed=0, per_class=20, segments=3):
    """Three clusters in 8 dimensions that overlap, in segments; labels; two folds."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((3, 8))
    labels = np.repeat(np.arange(3), per_class)
    noise = rng.standard_normal((len(labels), segments, 8))
    values = list(centres[labels][:, None] + 1.5 * noise)
    even = np.arange(len(labels)) % 2 == 0
    folds = [(np.flatnonzero(even), np.flatnonzero(~even))]
    return values, [CLASSES[i] for i in labels], [*folds, folds[0][::-1]]


def recordings_of(values, labels):
    """Recordings that hold their embeddings, two of each to a group, in two folds."""
    return [
        Recording(
            key=str(i),
            label=label,
            group=f"{label}{i // 4}{i % 2}",
            identity=lambda i=i: fingerprint({"number": i}),
            read=lambda value=value: value,
            fold=1 + i % 2,
        )
        for i, (value, label) in enumerate(zip(values, labels, strict=True))
    ]


def test_linear_probe_is_that_of_sklearn_on_segments():
    values, labels, folds = points()
    found = cross_validate(values, labels, folds, "linear")
    stacked, numbers = np.stack(values), np.searchsorted(CLASSES, labels)
    for train, test in folds:
        head = make_pipeline(
            StandardScaler(), sklearn.linear_model.LogisticRegression(C=0.1, max_iter=1000)
        ).fit(stacked[train].reshape(-1, 8), np.repeat(numbers[train], 3))
        expected = head.predict_log_proba(stacked[test].reshape(-1, 8)).reshape(-1, 3, 3).mean(1)
        np.testing.assert_allclose(found.scores[test], expected, atol=1e-6)
    said = found.scores.argmax(1)
    assert found.right.mean() == sklearn.metrics.accuracy_score(numbers, said)
    assert found.confusion() == sklearn.metrics.confusion_matrix(numbers, said).tolist()


@pytest.mark.parametrize("probe", PROBES)
def test_every_probe_separates_what_is_apart_and_guesses_where_nothing_is(probe):
    rng = np.random.default_rng(1)
    labels = list(CLASSES) * 40
    apart = [np.eye(3)[[CLASSES.index(x)]] + 0.1 * rng.standard_normal((1, 3)) for x in labels]
    nothing = [rng.standard_normal((1, 3)) for _ in labels]
    folds = [(np.arange(60), np.arange(60, 120)), (np.arange(60, 120), np.arange(60))]
    assert cross_validate(apart, labels, folds, probe).right.mean() > 0.95
    assert abs(cross_validate(nothing, labels, folds, probe).right.mean() - 1 / 3) < 0.17


@pytest.mark.parametrize("classes", [2, 5])
def test_the_support_vector_machine_is_that_of_liblinear(classes):
    """Classes that overlap, in float32, with features of different size and a shift."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 6)) * [1, 1, 0.3, 2, 1, 1] + [0, 0.5, 0, -1, 0, 0]
    y = np.array([10, 20, 30, 40, 50])[np.arange(200) % classes]
    x[:, 0] += 0.05 * y
    own = LinearSVM(C=0.01).fit(x.astype(np.float32), y)
    anchor = sklearn.svm.LinearSVC(C=0.01, dual=False, tol=1e-8).fit(x, y)
    found, expected = own.decision_function(x), anchor.decision_function(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.01 * np.std(expected))
    assert (own.predict(x) == anchor.predict(x)).mean() > 0.98
    with pytest.raises(ValueError, match="one class"):
        own.fit(x, np.zeros(200))


def test_a_probe_that_cannot_be_trained_is_named():
    values = [np.array([[float(i)]]) for i in range(4)]
    folds = [(np.array([0, 1]), np.array([2, 3]))]
    with pytest.raises(InputError, match="probe 'svm' cannot be trained on 2 vectors"):
        cross_validate(values, ["a", "a", "b", "b"], folds, "svm")


def test_two_classes_and_recordings_that_no_fold_tests():
    values = [np.array([[x]]) for x in (-2.0, -1.0, 1.0, 2.0, 3.0)]
    folds = [(np.array([0, 1, 2, 3]), np.array([4]))]
    found = cross_validate(values, ["a", "a", "b", "b", "b"], folds, "svm")
    assert found.tested.tolist() == [False, False, False, False, True]
    assert found.right.tolist() == [True]
    assert found.confusion() == [[0, 0], [0, 1]]


def test_the_vote_of_a_recording_sums_scores():
    """Two of three segments say wrong, but the third is sure."""
    scores = np.log([[0.4, 0.6], [0.4, 0.6], [0.99, 0.01], [0.2, 0.8]])
    told = Predictions(scores, ("a", "b"), np.array([0, 0, 0, 0]))
    assert told.right.tolist() == [False, False, True, False]
    assert voted(told, np.array(["x", "x", "x", "y"])).tolist() == [True, False]


def test_intervals_draw_groups_and_not_clips():
    """With one decision a recording, 20 clips of each are no more than one."""
    rng = np.random.default_rng(0)
    right = (rng.random(64) < 0.9).astype(float)
    few = bootstrap_mean(right, np.arange(64))
    many = bootstrap_mean(np.repeat(right, 20), np.repeat(np.arange(64), 20))
    assert (many.mean, many.low, many.high, many.clips) == (few.mean, few.low, few.high, 64)
    free = bootstrap_mean(np.repeat(right, 20), np.arange(1280))
    assert free.high - free.low < 0.3 * (few.high - few.low)


def test_bootstrap_of_a_statistic_is_that_of_the_mean():
    rng = np.random.default_rng(2)
    values, owner = rng.random(60), rng.integers(0, 12, 60)
    fast, slow = bootstrap_mean(values, owner), bootstrap(np.mean, values, owner)
    assert (slow.mean, slow.clips) == (pytest.approx(fast.mean), fast.clips)
    assert slow.low == pytest.approx(fast.low)
    assert slow.high == pytest.approx(fast.high)


@pytest.mark.parametrize(
    ("wins", "losses", "p"), [(8, 2, 0.109375), (10, 2, 0.03857421875), (74, 8, 0.0), (0, 0, 1.0)]
)
def test_sign_test_by_hand(wins, losses, p):
    """Two-sided binomial tails; ties do not count."""
    first = np.r_[np.ones(wins), np.zeros(losses), np.ones(5)]
    second = np.r_[np.zeros(wins), np.ones(losses), np.ones(5)]
    found = compare(first, second, np.arange(len(first)))
    assert (found.wins, found.losses) == (wins, losses)
    assert found.p == pytest.approx(p, abs=1e-9)
    assert found.difference.mean == pytest.approx((wins - losses) / len(first))
    smaller = compare(first, second, np.arange(len(first)), higher_is_better=False)
    assert (smaller.wins, smaller.losses) == (losses, wins)


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(InputError, match="one at least"):
        bootstrap_mean(np.empty(0), np.empty(0))
    with pytest.raises(InputError, match="pairs"):
        compare(np.ones(2), np.ones(3), np.arange(2))


def test_embeddings_are_kept_by_content_and_an_interrupted_run_resumes(tmp_path):
    values, labels, _ = points()
    recordings = recordings_of(values, labels)
    seen = []

    def stop(value):
        if len(seen) == 7:
            raise InputError("recording 7 is bad")
        seen.append(value)
        return value

    with pytest.raises(InputError, match="7 is bad"):
        embed(recordings, Embedder("e", "same", stop), cache=tmp_path)
    resumed = embed(recordings, Embedder("e", "same", lambda value: value), cache=tmp_path)
    assert resumed.computed == len(values) - 7
    again = embed(recordings[::-1], Embedder("e", "same", stop), cache=tmp_path)
    assert again.computed == 0
    for found, value in zip(again.values[::-1], values, strict=True):
        np.testing.assert_array_equal(found, value)
    other = Embedder("e", "other weights", lambda value: value)
    assert embed(recordings, other, cache=tmp_path).computed == len(values)


def test_a_recording_that_is_known_is_not_read_again(tmp_path):
    values, labels, _ = points()
    recordings = recordings_of(values, labels)
    embedder = Embedder("e", "f", lambda value: value)
    embed(recordings, embedder, cache=tmp_path)
    deaf = [Recording(r.key, r.label, r.group, r.identity, lambda: 1 / 0) for r in recordings]
    assert embed(deaf, embedder, cache=tmp_path).computed == 0


def test_a_damaged_file_of_embeddings_is_named(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "part.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(InputError, match=r"part\.npz is damaged .*delete it"):
        embed([], Embedder("e", "f", lambda value: value), cache=tmp_path)


def test_bad_recordings_are_named_or_counted(tmp_path):
    values, labels, _ = points()
    recordings = recordings_of(values, labels)

    def broken():
        raise OSError("take7.wav: it is cut off")

    recordings[7] = Recording("7", labels[7], "g", lambda: "7", broken, fold=2)
    recordings[9] = Recording("9", labels[9], "g", lambda: "9", lambda: np.full((1, 8), np.nan), 2)
    embedder = Embedder("points", "f", lambda value: value)
    with pytest.raises(OSError, match=r"take7\.wav"):
        Classification(CLASSES, "groups", tmp_path / "x").add(recordings, embedder)
    bench = Classification(CLASSES, "groups", tmp_path, skip_bad=True)
    bench.add(recordings, embedder, ["linear", "knn"])
    results = bench.results("test", "points", pairs=(), settings={}, learned=True)
    assert len(results.skipped) == 2
    assert "take7.wav" in results.skipped[0]
    assert "9" in results.skipped[1]
    assert "2 left out: 7: take7.wav" in results.markdown()
    assert [row.name for row in results.table.rows] == ["points, linear", "points, knn"]
    assert sum(map(sum, results.confusion["points, linear"])) == len(values) - 2


def test_predictions_are_shared_and_never_stale(tmp_path, monkeypatch):
    """What another evaluation trained on the same is taken; what differs is trained."""
    values, labels, _ = points()
    recordings, trained = recordings_of(values, labels), []
    real = classification.cross_validate

    def counted(*given, probe, **options):
        trained.append(probe)
        return real(*given, probe, **options)

    monkeypatch.setattr(classification, "cross_validate", counted)
    rows = []
    for name, seed, probe, some in (
        ("f", 0, "linear", recordings),
        ("f", 0, "linear", recordings),
        ("f", 0, "knn", recordings),
        ("f", 1, "knn", recordings),
        ("g", 1, "knn", recordings),
        ("g", 1, "knn", [dataclasses.replace(r, fold=3 - r.fold) for r in recordings]),
    ):
        bench = Classification(CLASSES, "groups", tmp_path, seed=seed)
        bench.add(some, Embedder("points", name, lambda value: value), [probe])
        rows.append(bench)
    assert trained == ["linear", "knn", "knn", "knn", "knn"]
    first, second = (bench.predictions["points, linear"] for bench in rows[:2])
    for name in ("scores", "labels", "share"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.classes == second.classes
    assert rows[0].rows == rows[1].rows


def test_missing_and_unknown_classes_are_named():
    values, labels, _ = points()
    recordings = [r for r in recordings_of(values, labels) if (r.label, r.fold) != ("b", 2)]
    numbers = np.array([r.fold for r in recordings])
    folds = [(np.flatnonzero(numbers == 1), np.flatnonzero(numbers == 2))]
    with pytest.raises(InputError, match="fold 1 tests on no recording of b"):
        check_folds(recordings, folds, CLASSES)
    with pytest.raises(InputError, match="no class 'b'"):
        check_folds(recordings, folds, ("a", "c"))


def test_results_are_read_as_they_were_written(tmp_path):
    values, labels, _ = points()
    bench = Classification(CLASSES, "groups", tmp_path / "cache", vote=True)
    recordings = recordings_of(values, labels)
    bench.add(recordings, Embedder("points", "f", lambda v: v), ["linear"], kind="learned")
    bench.add(recordings, Embedder("noise", "g", lambda v: 0 * v + len(v)), ["linear"])
    bench.missing.append("YAMNet: not here")
    pairs = [("points, linear", "noise, linear"), ("points, linear", "none")]
    results = bench.results("test", "points", pairs=pairs, settings={"s": 1}, learned=False)
    saved = results.save(tmp_path / "test.json")
    assert TaskResults.load(tmp_path / "test.json").markdown() == saved.markdown()
    text = saved.markdown()
    assert "points, linear − noise, linear: accuracy: +" in text
    assert "bootstrap over groups" in text
    assert "has not learned" in text
    assert "not measured: YAMNet: not here" in text
    (tmp_path / "test.json").write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        TaskResults.load(tmp_path / "test.json")


def test_an_estimate_without_an_interval_is_a_number():
    assert Estimate(0.625).text("%") == "62.5"
    assert Estimate(0.625, 0.61, 0.64, 10).text("") == "0.625 [0.610, 0.640]"
