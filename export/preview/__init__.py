"""The right side of the export page: what a recipe would give."""
