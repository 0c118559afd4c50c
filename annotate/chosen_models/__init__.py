"""The models that a collection uses for each task, opened."""
