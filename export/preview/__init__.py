"""The preview on the export page: what a recipe would export."""
