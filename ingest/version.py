"""The version of Koma; runs and datasets record it."""

from __future__ import annotations

VERSION = "0.3.0"
