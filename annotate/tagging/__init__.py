"""Tags of frames: where each comes from (models, boxes, pixels, heads, files) and which of them count."""
