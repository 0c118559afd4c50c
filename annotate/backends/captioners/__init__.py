"""Captioners: models that describe a picture in words."""
