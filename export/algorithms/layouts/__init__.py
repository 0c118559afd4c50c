"""Layouts of a dataset on disk: one file each, and one row each in the registry."""
