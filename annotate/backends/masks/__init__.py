"""Models that separate figures from the background."""
