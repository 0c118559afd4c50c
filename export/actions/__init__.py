"""Writes of the data sets: recipes, jobs, and folders that were read back."""
