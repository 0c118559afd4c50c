"""Pure rules of datasets: levels, balance, captions, metadata, crops, names. No Django, no files."""
