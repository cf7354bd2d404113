"""Tests; a package, lest an installed one of the same name be taken for it."""
