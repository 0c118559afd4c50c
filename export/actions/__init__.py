"""Changes to recipes, export jobs, and folders that are read back."""
