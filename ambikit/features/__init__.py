"""Features of first-order sound in mel bands: levels, intensity, covariances."""

from __future__ import annotations

from ambikit.features.covariance import beamform_covariance as beamform_covariance
from ambikit.features.covariance import mel_covariance as mel_covariance
from ambikit.features.covariance import rotate_covariance as rotate_covariance
from ambikit.features.foa import FEATURE_CHANNELS as FEATURE_CHANNELS
from ambikit.features.foa import PRESETS as PRESETS
from ambikit.features.foa import FeatureSettings as FeatureSettings
from ambikit.features.foa import features_from_covariance as features_from_covariance
from ambikit.features.foa import foa_features as foa_features
