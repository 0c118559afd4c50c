"""Backup and restore of a collection as one file with all rows, their history, and all files."""

from __future__ import annotations
