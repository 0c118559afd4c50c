"""Draws the demo episode: a short film in anime style with its ground truth, from a seed alone."""
