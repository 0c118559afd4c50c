"""Detectors: pictures in, boxes of faces, heads, persons and text out."""
