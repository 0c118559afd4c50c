"""Segmentation models that separate characters from the background."""
