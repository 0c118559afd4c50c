"""The installed models of a site: list, downloads, imports and their jobs."""
