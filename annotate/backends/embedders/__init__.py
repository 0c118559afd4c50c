"""Embedders: models that turn faces into vectors, and the comparison of those vectors."""
