"""Brings changes that were made in an exported folder back into the collection."""
