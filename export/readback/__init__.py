"""Importing changes made in an exported folder back into the collection."""
