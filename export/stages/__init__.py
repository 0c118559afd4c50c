"""Steps of an export: reading the rows, building the files."""
