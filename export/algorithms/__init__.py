"""Pure rules of the data set: levels, balance, captions, metadata, crops, names. No Django, no files."""
