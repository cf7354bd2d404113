"""Slow oracles: the definitions, one number at a time, sharing no code with ambikit."""

from __future__ import annotations

import math

import numpy as np


def direction(azimuth, elevation):
    """Unit vector (x front, y left, z up) of angles in radians."""
    return np.array(
        [
            math.cos(elevation) * math.cos(azimuth),
            math.cos(elevation) * math.sin(azimuth),
            math.sin(elevation),
        ]
    )


def harmonics(vector, order):
    """AmbiX harmonics of one unit vector up to order 3, as printed in the literature."""
    x, y, z = vector
    table = [
        1.0,
        y,
        z,
        x,
        math.sqrt(3) * x * y,
        math.sqrt(3) * y * z,
        (3 * z * z - 1) / 2,
        math.sqrt(3) * x * z,
        math.sqrt(3) / 2 * (x * x - y * y),
        math.sqrt(5 / 8) * y * (3 * x * x - y * y),
        math.sqrt(15) * x * y * z,
        math.sqrt(3 / 8) * y * (5 * z * z - 1),
        z * (5 * z * z - 3) / 2,
        math.sqrt(3 / 8) * x * (5 * z * z - 1),
        math.sqrt(15) / 2 * z * (x * x - y * y),
        math.sqrt(5 / 8) * x * (x * x - 3 * y * y),
    ]
    return np.array(table[: (order + 1) ** 2])


def encode(signal, azimuth, elevation, order=1):
    """Plane wave of one signal from one direction."""
    gains = harmonics(direction(azimuth, elevation), order)
    return np.array([[gain * value for value in signal] for gain in gains])


def great_circle(a, b, fraction):
    """Unit vector on the way from unit vector a to b, by turning a about their common normal."""
    normal = np.cross(a, b)
    if np.linalg.norm(normal) < 1e-12:
        return a
    angle = fraction * math.atan2(np.linalg.norm(normal), np.dot(a, b))
    normal = normal / np.linalg.norm(normal)
    return a * math.cos(angle) + np.cross(normal, a) * math.sin(angle)


def encode_moving(signal, directions, order=1):
    """Plane wave whose direction visits the unit vectors evenly from first to last sample."""
    samples = len(signal)
    columns = []
    for t, value in enumerate(signal):
        place = t * (len(directions) - 1) / max(samples - 1, 1)
        key = min(int(place), len(directions) - 2)
        here = great_circle(directions[key], directions[key + 1], place - key)
        columns.append(value * harmonics(here, order))
    return np.array(columns).T


def rotation_matrix(yaw, pitch, roll):
    """Rz(yaw) @ Ry(pitch) @ Rx(roll), spelled out."""
    c, s = math.cos, math.sin
    rz = np.array([[c(yaw), -s(yaw), 0], [s(yaw), c(yaw), 0], [0, 0, 1]])
    ry = np.array([[c(pitch), 0, s(pitch)], [0, 1, 0], [-s(pitch), 0, c(pitch)]])
    rx = np.array([[1, 0, 0], [0, c(roll), -s(roll)], [0, s(roll), c(roll)]])
    return rz @ ry @ rx


def rotate_foa(x, matrices):
    """Rotate W, Y, Z, X (4, n) by one 3 x 3 matrix a sample."""
    out = np.empty_like(x)
    for t in range(x.shape[1]):
        w, y, z, front = x[:, t]
        turned = matrices[t] @ np.array([front, y, z])
        out[:, t] = w, turned[1], turned[2], turned[0]
    return out


def averages(x, sample_rate, time_constant):
    """One-pole averages of W * (X, Y, Z) and of the energy density, (3, n) and (n,)."""
    keep = math.exp(-1.0 / (time_constant * sample_rate))
    intensity, energy = np.zeros(3), 0.0
    intensities, energies = [], []
    for w, y, z, front in x.T:
        intensity = keep * intensity + (1 - keep) * w * np.array([front, y, z])
        energy = keep * energy + (1 - keep) * 0.5 * (w * w + front * front + y * y + z * z)
        intensities.append(intensity)
        energies.append(energy)
    return np.array(intensities).reshape(-1, 3).T, np.array(energies)


def normalized_intensity(x, sample_rate, time_constant):
    """Averaged intensity over averaged energy density (3, n); silence gives 0."""
    intensity, energy = averages(x, sample_rate, time_constant)
    return np.array(
        [[i / e if e else 0.0 for i, e in zip(row, energy, strict=True)] for row in intensity]
    )


def diffuseness(x, sample_rate, time_constant):
    """1 - |I| / E (n,); silence gives 1."""
    intensity, energy = averages(x, sample_rate, time_constant)
    return np.array(
        [
            1 - math.dist(i, (0, 0, 0)) / e if e else 1.0
            for i, e in zip(intensity.T, energy, strict=True)
        ]
    )


def legendre(n, x):
    """P_n(x) by Bonnet's recursion."""
    before, here = 1.0, x
    if n == 0:
        return before
    for k in range(1, n):
        before, here = here, ((2 * k + 1) * x * here - k * before) / (k + 1)
    return here
