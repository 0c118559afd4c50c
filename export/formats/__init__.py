"""Layouts of a dataset on disk: the folder hierarchy, and kohya's flat folders."""
