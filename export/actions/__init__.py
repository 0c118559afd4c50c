"""Writes of the datasets: recipes, jobs, and folders that were read back."""
