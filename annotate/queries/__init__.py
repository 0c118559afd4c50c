"""What the pages read: figures, search and completion. Nothing here writes."""
