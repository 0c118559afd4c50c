"""Layouts of a data set on disk: the folder hierarchy, and kohya's flat folders."""
