"""Pure rules of the dataset: levels, balance, captions, metadata, crops, names. No Django, no files."""
