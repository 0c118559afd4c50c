"""Read-only queries of the pages: figures, search and completion."""
