"""What people said in a collection, as the truth that models are measured against."""

from __future__ import annotations
