"""The torch front end: Ambisonic sound to the features of each crop's viewpoint, on any device.

The Fourier transform is computed once per clip. Only small matrices depend on the viewpoint: they
rotate the complex spectra or, for mel bands of the power, the 10 real entries of the mel-pooled
spatial covariance, since E[(R x)(R x)ᵀ] = R E[x xᵀ] Rᵀ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

import ambikit
from ambikit import FEATURE_CHANNELS, InputError, checks
from ambikit.features import PRESETS as AMBIKIT_PRESETS
from ambikit_learn._typing import Covariance

Kind = Literal["logmel", "foa_iv"]
Alignment = Literal["rotate", "beamform", "stereo", "omni"]
Rotation = Literal["exact", "released"]

FRONT_ENDS = {
    "avsa": AMBIKIT_PRESETS["avsa"],
    "tiny": dataclasses.replace(
        AMBIKIT_PRESETS["avsa"], n_fft=1024, window_length=1024, hop=480, n_mels=32, power=2
    ),
}
"""Transforms and mel bands by name. Bands of the power, as in "tiny", need no spectra per view."""
_POWERS = {
    "rotate": FEATURE_CHANNELS["logmel"],
    "beamform": ("beamform",),
    "stereo": ("left", "right"),
    "omni": ("omni",),
}
"""Names of the channels whose levels are features, by alignment."""

_CLIPS_AT_A_TIME = 8
_FLOOR = 1e-10
# The exporter to ONNX takes an addend below 1e-8 for zero; a power of two changes no quotient.
_SCALE = 2.0**40
_LEAST_VARIANCE = 1e-3  # of what is whitened: less is noise, and would be blown up


def look_at_rows(azimuth: Tensor, elevation: Tensor, rotation: Rotation = "exact") -> Tensor:
    """Return the matrix that brings a direction to the front, on W, Y, Z, X.

    Parameters
    ----------
    azimuth, elevation : Tensor, shape (...,)
        Direction in radians.
    rotation : "exact" or "released"
        ``Ry(elevation) Rz(-azimuth)``, or its factors in the other order, as in the released code
        of Morgado et al., which misses the front by 15° on average, and by 0° at the horizon.

    Returns
    -------
    Tensor, shape (..., 4, 4)
        Rotation matrices in ACN order.

    Examples
    --------
    >>> import torch
    >>> left = torch.tensor([1.0, 1.0, 0.0, 0.0])  # W, Y, Z, X of a source at +90 degrees
    >>> matrix = look_at_rows(torch.tensor(torch.pi / 2), torch.tensor(0.0))
    >>> torch.allclose(matrix @ left, torch.tensor([1.0, 0.0, 0.0, 1.0]), atol=1e-6)
    True
    """
    sa, ca = azimuth.sin(), azimuth.cos()
    se, ce = elevation.sin(), elevation.cos()
    zero, one = torch.zeros_like(sa), torch.ones_like(sa)
    w = [one, zero, zero, zero]
    turn = _matrix(w, [zero, ca, zero, -sa], [zero, zero, one, zero], [zero, sa, zero, ca])
    tilt = _matrix(w, [zero, one, zero, zero], [zero, zero, ce, -se], [zero, zero, se, ce])
    return tilt @ turn if rotation == "exact" else turn @ tilt


def beam_row(azimuth: Tensor, elevation: Tensor, pattern: str = "basic") -> Tensor:
    """Return the weights of `ambikit.beam_weights` on W, Y, Z, X, shape (..., 1, 4), on any device.

    A pattern of first order is a sum of W and of what the direction's dipole hears, with the
    weights on W and X of a beam to the front.
    """
    omni, dipole = map(float, ambikit.beam_weights(pattern, 0.0)[[0, 3]])
    front = look_at_rows(azimuth, elevation)[..., 3:, :]
    w = functional.pad(torch.ones_like(front[..., :1]), (0, 3))
    return omni * w + dipole * front


def along_frames(azimuth: Tensor, elevation: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Return the directions of viewpoints in each frame of the features.

    Parameters
    ----------
    azimuth, elevation : Tensor, shape (B, K) or (B, K, P)
        Directions in radians, fixed or along paths.
    frames : int
        Number of frames.

    Returns
    -------
    azimuth, elevation : Tensor, shape (B, K) or (B, K, frames)
        Fixed directions as they are; those of a path between its points, on the great circle.

    Examples
    --------
    >>> import torch
    >>> path = torch.deg2rad(torch.tensor([[[170.0, -170.0]]]))
    >>> azimuth, _ = along_frames(path, torch.zeros_like(path), 3)
    >>> [round(abs(float(a))) for a in torch.rad2deg(azimuth[0, 0])]
    [170, 180, 170]
    """
    if azimuth.ndim < 3 or azimuth.shape[-1] == frames:
        return azimuth, elevation
    if azimuth.shape[-1] == 1:
        return azimuth[..., 0], elevation[..., 0]
    flat = elevation.cos()
    points = torch.stack([flat * azimuth.cos(), flat * azimuth.sin(), elevation.sin()], -2)
    # Points of a path are near each other: the chord deviates little from the great circle
    x, y, z = functional.interpolate(
        points.flatten(0, -3), frames, mode="linear", align_corners=True
    ).unbind(-2)
    shape = (*azimuth.shape[:-1], frames)
    return torch.atan2(y, x).reshape(shape), torch.atan2(z, torch.hypot(x, y)).reshape(shape)


class FrontEnd(nn.Module):
    """Standardised log-mel and intensity of a sound field as seen from each crop.

    Parameters
    ----------
    kind : "logmel" or "foa_iv"
        ``"logmel"``: 10 log10 of the mel bands of each aligned channel. ``"foa_iv"``: followed by
        the normalised active intensity along x, y, z, pooled per band and averaged over frames.
    alignment : "rotate", "beamform", "stereo" or "omni"
        Rotate the field so that the crop is at the front (4 channels), steer a beam to the crop
        (1 channel), hear the rotated field with two cardioids to the left and the right
        (2 channels), or keep W, which has no direction (1 channel).
    preset : str
        A name in `FRONT_ENDS`: ``"avsa"`` or ``"tiny"``.
    pattern : str
        Beam pattern of ``"beamform"``, a name in `ambikit.beam_weights`.
    rotation : "exact" or "released"
        How ``"rotate"`` turns the field, see `look_at_rows`.
    source_rate : int, optional
        Sample rate of the input in Hz; it is resampled if it differs from the preset's.
    whiten : bool
        Standardise the channels of a band together, so that they are uncorrelated, and not each by
        itself. Channels of log-mel rise and fall together, and where a sound comes from is in their
        small differences: X − W deviates by 0.28 where each deviates by 1.
    **overrides
        Fields of `ambikit.features.FeatureSettings` to replace in the preset.

    Raises
    ------
    InputError
        If a name is unknown, settings contradict each other, or intensity is requested from an
        alignment with fewer than four channels.

    Notes
    -----
    Per band b, with ⟨·⟩ the average over frames, I = Re(W* v) and E = ½(|W|² + |v|²):
    ``î_b = ⟨Σ_f H_bf I_f⟩ / (⟨Σ_f H_bf E_f⟩ + ε)``, at most 1 in length.

    Whitening multiplies the standardised channels of a band by ``(R + 10⁻³ 1)^-½``, with R their
    correlation on the training set: the symmetric root, which changes the channels least [1]_.

    The two cardioids of ``"stereo"``, ``½ (W ± Y)`` of the rotated field, stand for two ears. Their
    levels differ alike at all frequencies, and those of ears more at high ones; ears also differ in
    time, which levels do not show.

    Without fitted statistics the features equal `ambikit.foa_features` of the sound rotated by
    `ambikit.rotate`. The covariance path squares the dynamic range: levels more than about 60 dB
    below the clip's loudest channel in a band are rounding noise of float32.

    References
    ----------
    .. [1] A. Kessy, A. Lewin, K. Strimmer, "Optimal Whitening and Decorrelation", The American
           Statistician 72 (2018).

    Examples
    --------
    >>> import torch
    >>> from ambikit_learn import FrontEnd
    >>> front_end = FrontEnd("foa_iv", preset="tiny")
    >>> sound = torch.randn(2, 4, 24000)
    >>> front_end(sound, torch.zeros(2, 3), torch.zeros(2, 3)).shape
    torch.Size([2, 3, 7, 50, 32])
    """

    mean: Tensor
    std: Tensor
    fitted: Tensor
    whitening: Tensor
    window: Tensor
    filters: Tensor
    pairs: Tensor

    def __init__(
        self,
        kind: Kind = "logmel",
        alignment: Alignment = "rotate",
        *,
        preset: str = "avsa",
        pattern: str = "basic",
        rotation: Rotation = "exact",
        source_rate: int | None = None,
        whiten: bool = False,
        **overrides: Any,
    ) -> None:
        super().__init__()
        _choice(kind, ("logmel", "foa_iv"), "kind")
        _choice(alignment, get_args(Alignment), "alignment")
        ambikit.beam_weights(pattern, 0.0)  # refuses a pattern that there is not
        _choice(rotation, ("exact", "released"), "rotation")
        _choice(preset, tuple(FRONT_ENDS), "front end preset")
        if kind == "foa_iv" and alignment != "rotate":
            raise InputError(
                f'kind "foa_iv" needs four channels and alignment "{alignment}" leaves fewer: '
                'use kind "logmel", or alignment "rotate"'
            )
        self.kind, self.alignment, self.pattern = kind, alignment, pattern
        self.rotation: Rotation = rotation
        unknown = overrides.keys() - {
            field.name for field in dataclasses.fields(FRONT_ENDS[preset])
        }
        if unknown:
            raise InputError(f"unknown front end settings: {', '.join(sorted(unknown))}")
        self.mel = dataclasses.replace(FRONT_ENDS[preset], **overrides)
        if self.mel.intensity != "bounded" or self.mel.top_db is not None:
            raise InputError('the front end takes intensity="bounded" and top_db=None only')
        self.source_rate = source_rate or self.mel.sample_rate
        shape = (self.channels, self.mel.n_mels)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(shape))
        self.register_buffer("fitted", torch.tensor(False))
        self.whiten = whiten
        if whiten:
            self.register_buffer("whitening", torch.eye(shape[0]).repeat(shape[1], 1, 1))
        window = torch.hann_window(self.mel.window_length)
        self.register_buffer("window", window, persistent=False)
        filters = torch.from_numpy(self.mel.filters.matrix)
        self.register_buffer("filters", filters, persistent=False)
        # Upper triangle of the 4 x 4 covariance of W, Y, Z, X
        self.register_buffer("pairs", torch.triu_indices(4, 4), persistent=False)

    @property
    def channels(self) -> int:
        """Number of feature channels, C."""
        return len(self.channel_names)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the feature channels, relative to the crop: its direction is x."""
        powers = _POWERS[self.alignment]
        return powers + FEATURE_CHANNELS["foa_iv"][4:] if self.kind == "foa_iv" else powers

    @property
    def covariance_settings(self) -> dict[str, Any] | None:
        """Settings of `ambikit.mel_covariance` whose result can replace the sound.

        None where that is impossible: for bands of the magnitude, and for sound of another rate.
        """
        if self.mel.power != 2 or self.source_rate != self.mel.sample_rate:
            return None
        transform = ("n_fft", "window_length", "hop", "n_mels", "fmin", "fmax", "mel_scale")
        return {name: getattr(self.mel, name) for name in transform}

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments that construct an equal front end, in types of JSON."""
        return {
            "kind": self.kind,
            "alignment": self.alignment,
            "pattern": self.pattern,
            "rotation": self.rotation,
            "source_rate": self.source_rate,
            "whiten": self.whiten,
            **dataclasses.asdict(self.mel),
        }

    def forward(self, sound: Tensor | Covariance, azimuth: Tensor, elevation: Tensor) -> Tensor:
        """Return the standardised features of each clip from each of its viewpoints.

        Parameters
        ----------
        sound : Tensor, shape (B, 4, n), or Covariance of (B, 10, frames, mels)
            AmbiX sound, not rotated; or its `ambikit.mel_covariance` with `covariance_settings`,
            which saves the transform.
        azimuth, elevation : Tensor, shape (B, K) or (B, K, P)
            Viewpoints in radians; or the paths of viewpoints, P of them evenly spaced from the
            first frame of the features to the last. Frames in between take a direction between two
            of them.

        Returns
        -------
        Tensor, shape (B, K, C, frames, mels)
            float32, also under autocast.

        Raises
        ------
        InputError
            `sound` has neither shape, or is a covariance with other settings.
        """
        if isinstance(sound, Covariance):
            given: Tensor | Covariance = Covariance(sound.values.float())
        else:
            given = sound.float()
        with torch.autocast(azimuth.device.type, enabled=False):
            features = self.raw(given, azimuth.float(), elevation.float())
            features = (features - self.mean[:, None]) / self.std[:, None]
            if self.whiten:
                features = torch.einsum("mcd,bkdtm->bkctm", self.whitening, features)
            return features

    def raw(self, sound: Tensor | Covariance, azimuth: Tensor, elevation: Tensor) -> Tensor:
        """Return the features before standardisation, in decibels and fractions."""
        if isinstance(sound, Covariance):
            return self.from_covariance(self._checked(sound.values), azimuth, elevation)
        if sound.ndim != 3 or sound.shape[1] != 4:
            raise InputError(
                f"sound of shape {tuple(sound.shape)}: (clips, 4, samples) of AmbiX is needed"
            )
        if self.mel.power == 2:
            return self.from_covariance(self.covariance(sound), azimuth, elevation)
        spectra = self.spectra(sound)
        azimuth, elevation = along_frames(azimuth, elevation, spectra.shape[-1])
        rows = self._rows(azimuth, elevation)
        moves = "t" if azimuth.ndim == 3 else ""
        seen = torch.einsum(f"bk{moves}ci,bift->bkcft", rows.to(spectra.dtype), spectra)
        features = self._decibels(self._pool(seen.abs()))
        if self.kind == "logmel":
            return features
        vector = self._intensity(self._pool_pairs(spectra), azimuth, elevation)
        return torch.cat([features, vector], 2)

    def spectra(self, sound: Tensor) -> Tensor:
        """Return the complex spectra (B, 4, bins, frames) of the sound (B, 4, n)."""
        if self.source_rate != self.mel.sample_rate:
            # Imported only when needed: torchaudio does not load with every version of torch.
            audio = checks.package("torchaudio.functional", "resampling on the device needs")
            sound = audio.resample(sound, self.source_rate, self.mel.sample_rate)
        frames = sound.shape[-1] // self.mel.hop
        spectra = torch.stft(
            sound.flatten(0, -2),
            self.mel.n_fft,
            self.mel.hop,
            self.mel.window_length,
            window=self.window,
            pad_mode="reflect",
            return_complex=True,
        )
        return spectra[..., :frames].reshape(*sound.shape[:-1], -1, frames)

    def covariance(self, sound: Tensor) -> Tensor:
        """Return mel(Re x xᴴ) of the sound (B, 4, n), the upper triangle: (B, 10, frames, mels)."""
        # A few clips at a time fit into the processor's cache
        parts = torch.split(sound, _CLIPS_AT_A_TIME)
        return torch.cat([self._pool_pairs(self.spectra(part)) for part in parts])

    def from_covariance(self, covariance: Tensor, azimuth: Tensor, elevation: Tensor) -> Tensor:
        """Return the features (B, K, C, frames, mels) of stored covariances; power mels only."""
        azimuth, elevation = along_frames(azimuth, elevation, covariance.shape[2])
        rows = self._rows(azimuth, elevation)
        moves = "t" if azimuth.ndim == 3 else ""
        first, second = self.pairs
        # (g x)² = Σ g_i g_j C_ij, where each pair off the diagonal counts twice
        weights = rows[..., first] * rows[..., second] * (2.0 - (first == second).float())
        features = self._decibels(torch.einsum(f"bk{moves}cp,bptm->bkctm", weights, covariance))
        if self.kind == "logmel":
            return features
        return torch.cat([features, self._intensity(covariance, azimuth, elevation)], 2)

    @torch.no_grad()
    def fit_statistics(self, batches: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Set what features are standardised by, a band at a time, from (sound, az, el) batches."""
        count = 0
        total = torch.zeros_like(self.mean, dtype=torch.float64)
        products = total.new_zeros(total.shape[1], total.shape[0], total.shape[0])
        for sound, azimuth, elevation in batches:
            features = self.raw(sound, azimuth, elevation).double()
            count += features[:, :, 0, :, 0].numel()
            total += features.sum((0, 1, 3))
            products += torch.einsum("bkctm,bkdtm->mcd", features, features)
        if not count:
            raise InputError(
                "no clips to fit the feature statistics on: the training split is empty"
            )
        mean = total / count
        covariance = products / count - torch.einsum("cm,dm->mcd", mean, mean)
        # The division would amplify rounding noise in a band without variation (silence)
        std = covariance.diagonal(dim1=1, dim2=2).T.clamp_min(1e-4).sqrt()
        self.mean.copy_(mean)
        self.std.copy_(std)
        if self.whiten:
            correlation = covariance / torch.einsum("cm,dm->mcd", std, std)
            variance, axes = torch.linalg.eigh(correlation)
            scale = (variance.clamp_min(0.0) + _LEAST_VARIANCE).rsqrt()
            self.whitening.copy_((axes * scale[:, None]) @ axes.mT)
        self.fitted.fill_(True)

    def _checked(self, covariance: Tensor) -> Tensor:
        """Refuse covariances that cannot be those of `covariance_settings`."""
        if self.covariance_settings is None:
            raise InputError(
                "these features take sound, not its covariance: their bands are of the magnitude, "
                "or the sound has to be resampled"
            )
        if covariance.shape[1] != 10 or covariance.shape[3] != self.mel.n_mels:
            raise InputError(
                f"covariance of shape {tuple(covariance.shape)}: (clips, 10, frames, "
                f"{self.mel.n_mels}) is needed, from ambikit.mel_covariance with the front end's "
                "covariance_settings"
            )
        return covariance

    def _rows(self, azimuth: Tensor, elevation: Tensor) -> Tensor:
        """Return the weights (B, K, c, 4) of the aligned channels on W, Y, Z, X."""
        if self.alignment == "beamform":
            return beam_row(azimuth, elevation, self.pattern)
        rows = look_at_rows(azimuth, elevation, self.rotation)
        if self.alignment == "stereo":
            omni, left = rows[..., :1, :], rows[..., 1:2, :]
            return 0.5 * torch.cat([omni + left, omni - left], -2)
        return rows if self.alignment == "rotate" else rows[..., :1, :]

    def _pool(self, bins: Tensor) -> Tensor:
        """Pool (..., bins, frames) into (..., frames, mels)."""
        return bins.mT @ self.filters

    def _pool_pairs(self, spectra: Tensor) -> Tensor:
        """Pool the products of all pairs of channels: (B, 10, frames, mels)."""
        # The product sums over real and imaginary parts, which are joined in (B, 4, frames, 2 bins)
        x = torch.view_as_real(spectra.mT).flatten(-2)
        filters = self.filters.repeat_interleave(2, 0)
        return torch.cat([(x[:, i : i + 1] * x[:, i:]) @ filters for i in range(4)], 1)

    def _decibels(self, mel: Tensor) -> Tensor:
        """Return 10 log10 above the floor."""
        return 10.0 * mel.clamp_min(_FLOOR).log10()

    def _intensity(self, covariance: Tensor, azimuth: Tensor, elevation: Tensor) -> Tensor:
        """Return the averaged, normalised intensity along x, y, z: (B, K, 3, frames, mels)."""
        average = self.mel.average
        first, second = self.pairs
        energy = 0.5 * covariance[:, first == second].sum(1, keepdim=True)
        pooled = torch.cat([covariance[:, 1:4], energy], 1)
        # Both numerator and denominator are padded with zeros: the average is shorter at the ends
        pooled = functional.avg_pool2d(pooled, (average, 1), stride=1, padding=(average // 2, 0))
        pooled = pooled * _SCALE
        ratio = pooled[:, :3] / (pooled[:, 3:] + _FLOOR * _SCALE)
        turn = look_at_rows(azimuth, elevation, self.rotation)[..., [3, 1, 2], 1:]
        moves = "t" if azimuth.ndim == 3 else ""
        return torch.einsum(f"bk{moves}ci,bitm->bkctm", turn, ratio)


def _matrix(*rows: list[Tensor]) -> Tensor:
    """Return a batch of matrices from their entries."""
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _choice(value: str, options: tuple[str, ...], name: str) -> None:
    """Refuse a name that is not one of the options."""
    if value not in options:
        raise InputError(f"unknown {name} {value!r}: choose one of {', '.join(options)}")
