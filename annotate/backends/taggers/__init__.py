"""Taggers and classifiers of complete pictures."""
