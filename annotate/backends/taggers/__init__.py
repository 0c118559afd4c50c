"""Taggers and classifiers of whole pictures."""
