"""Tags of frames: their origins (models, boxes, pixels, heads, files) and which of them count."""
