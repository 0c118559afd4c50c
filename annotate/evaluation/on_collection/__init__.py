"""Evaluation of models against people's labels in a collection."""

from __future__ import annotations
