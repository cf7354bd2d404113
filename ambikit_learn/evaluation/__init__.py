"""Evaluation of trained models: accuracies on held-out clips, with intervals."""

from __future__ import annotations
