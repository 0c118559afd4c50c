"""Draws the demo episode: a short film in the manner of anime with its ground truth, from a seed and nothing else."""
