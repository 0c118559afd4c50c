"""A collection as one file: all its rows with their history, and its files; restored here or on another server."""

from __future__ import annotations
