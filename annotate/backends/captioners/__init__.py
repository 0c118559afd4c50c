"""Captioners: a picture in, a sentence out."""
