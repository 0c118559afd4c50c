"""Counts maintained by database triggers, and columns derived from faces."""
