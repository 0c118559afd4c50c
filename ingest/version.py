"""The version of Koma; runs and data sets note it."""

from __future__ import annotations

VERSION = "0.3.0"
