"""Pages of the data sets, and the overview of a collection."""
