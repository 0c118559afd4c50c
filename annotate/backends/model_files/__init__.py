"""The models folder: what may be in it, how models get there (hub, folder, zip), and whether they are still whole."""
