"""Names of characters that came with pictures, and the characters of frames."""
