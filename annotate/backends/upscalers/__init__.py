"""Upscalers: models and filters that enlarge pictures."""
