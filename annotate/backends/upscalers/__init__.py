"""Upscalers: a picture in, a larger one out."""
