"""Counts that the database keeps up to date by triggers, and columns derived from faces."""
