"""Starts everything on one machine: Redis, workers, web server; and ends it all together."""
