"""Embedders: faces in, vectors and their comparison out."""
