"""Pages of the datasets, and the overview of a collection."""
