"""Scores of sound events by loops over dictionaries, for the tests of `seld_scores`."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import combinations, permutations

import numpy as np
from scipy.optimize import linear_sum_assignment

EPS = 2.0**-52


def degrees_apart(rules, a, b):
    """Angle between rows, in the arithmetic of the rules."""
    az_a, el_a, az_b, el_b = (math.radians(x) for x in (a[3], a[4], b[3], b[4]))
    if rules == "dcase2023":
        cosine = math.sin(el_a) * math.sin(el_b)
        cosine += math.cos(el_a) * math.cos(el_b) * math.cos(abs(az_a - az_b))
    else:
        cosine = math.fsum(
            p * q
            for p, q in zip(
                (math.cos(el_a) * math.cos(az_a), math.cos(el_a) * math.sin(az_a), math.sin(el_a)),
                (math.cos(el_b) * math.cos(az_b), math.cos(el_b) * math.sin(az_b), math.sin(el_b)),
                strict=True,
            )
        )
        if rules == "dcase2024":
            cosine /= 1 + 1e-10
    return math.degrees(math.acos(min(1.0, max(-1.0, cosine))))


def counts(rules, reference, prediction, classes):
    """Return {class: {name: count}} and the sum of errors of one file."""
    last = max((int(row[0]) for row in reference), default=0)
    size = 1 if rules == "dcase2024" else 10
    if rules == "strict":
        everything = [*reference, *prediction]
        stop = max((int(row[0]) for row in everything), default=-1) + 1
    else:
        stop = last
    out = {kind: defaultdict(float) for kind in range(classes)}
    errors = 0
    for start in range(0, stop, size):
        false_here = missed_here = 0
        for kind in range(classes):
            truth, guess = (
                {
                    frame: [r for r in rows if r[0] == frame and r[1] == kind]
                    for frame in range(start, start + size)
                }
                for rows in (reference, prediction)
            )
            r, p = (max(map(len, side.values())) for side in (truth, guess))
            pools = defaultdict(list)
            for frame in range(start, start + size):
                if not truth[frame] or not guess[frame]:
                    continue
                cost = np.array(
                    [[degrees_apart(rules, a, b) for b in guess[frame]] for a in truth[frame]]
                )
                seen = defaultdict(int)
                names = []
                for place, row in enumerate(truth[frame]):
                    names.append((row[2], seen[row[2]]) if rules == "strict" else place)
                    seen[row[2]] += 1
                for i, j in zip(*linear_sum_assignment(cost), strict=True):
                    a, b = truth[frame][i], guess[frame][j]
                    far = abs(a[5] - b[5]) / (a[5] + EPS) if rules == "dcase2024" else 0.0
                    pools[names[i]].append((cost[i, j], far))
            found = [
                (len(x), sum(a for a, _ in x) / len(x), sum(d for _, d in x) / len(x))
                for x in pools.values()
            ]
            if rules == "strict":
                found = sorted(found, key=lambda x: (-x[0], x[1]))[: min(r, p)]
            limit = 20.0 + (1e-9 if rules == "strict" else 0.0)
            right = sum(a <= limit and d <= 1.0 for _, a, d in found)
            displaced = len(found) - right
            if rules == "strict":
                missed, extra = r - len(found), p - len(found)
            elif r and p and not found:
                missed, extra = p, 0
            else:
                missed, extra = max(0, r - p), max(0, p - r)
            one = out[kind]
            one["right"] += right
            one["displaced"] += displaced
            one["missed"] += missed
            one["extra"] += extra
            one["reference"] += r
            one["angle"] += sum(a for _, a, _ in found)
            one["distance"] += sum(d for _, _, d in found)
            false_here += displaced + extra
            missed_here += missed
        errors += min(false_here, missed_here)
        errors += max(0, missed_here - false_here) + max(0, false_here - missed_here)
    return out, errors


def scores(rules, reference, prediction, classes, *, micro=False):
    """Return the scores of lists of files."""
    sums = {kind: defaultdict(float) for kind in range(classes)}
    errors = 0.0
    for truth, guess in zip(reference, prediction, strict=True):
        found, wrong = counts(rules, truth, guess, classes)
        errors += wrong
        for kind, one in found.items():
            for name, value in one.items():
                sums[kind][name] += value
    total = sum(one["reference"] for one in sums.values())
    if rules == "strict" and not total:
        return dict.fromkeys(("er", "f", "le", "lr", "seld"), math.nan)
    er = errors / (total + EPS)
    if micro:
        pooled = defaultdict(float)
        for one in sums.values():
            for name, value in one.items():
                pooled[name] += value
        sums = {0: pooled}
    elif rules == "strict":
        sums = {kind: one for kind, one in sums.items() if one["reference"]}
    rows = []
    for one in sums.values():
        matched = one["right"] + one["displaced"]
        f = one["right"] / (EPS + matched + 0.5 * (one["extra"] + one["missed"]))
        if rules == "dcase2024":
            row = {"f": f, "doae": math.nan, "rde": math.nan}
            parts = [1 - f]
            if matched:
                row |= {"doae": one["angle"] / matched, "rde": one["distance"] / matched}
                parts += [row["doae"] / 180, row["rde"]]
            rows.append(row | {"seld": sum(parts) / len(parts)})
        else:
            le = one["angle"] / matched if matched else 180.0
            lr = matched / (EPS + matched + one["missed"])
            rows.append(
                {"er": er, "f": f, "le": le, "lr": lr, "seld": (er + 1 - f + le / 180 + 1 - lr) / 4}
            )
    out = {}
    for name in rows[0]:
        values = [row[name] for row in rows if not math.isnan(row[name])]
        out[name] = sum(values) / len(values) if values else math.nan
    return out


def cheapest(cost):
    """Return the least sum of an assignment, by trying all."""
    n, m = cost.shape
    size = min(n, m)
    return min(
        sum(cost[i, j] for i, j in zip(left, right, strict=True))
        for left in combinations(range(n), size)
        for right in permutations(range(m), size)
    )
