"""The models a collection uses for each task, and how they are opened."""
