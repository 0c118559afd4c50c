"""How the settings that several stages share are shown to people (see ingest/views/run_form.py)."""

from __future__ import annotations

PICTURE_FORMAT = {
    "label": "Picture format",
    "choices": (
        ("jpeg", "jpeg: quick, small"),
        ("png", "png: every bit, large"),
        ("webp", "webp: slow, smallest"),
        ("webp-lossless", "lossless webp: every bit, slowest"),
    ),
    "help": "how kept pictures are stored; a data set has its own format",
}
PICTURE_QUALITY = {"label": "Picture quality", "help": "1 to 100, for jpeg and webp"}
COPY_FORMAT = PICTURE_FORMAT | {
    "label": "Format of working copies",
    "help": "for pages and models, where they cannot use the file as it came; that is always kept",
}
COPY_QUALITY = PICTURE_QUALITY | {"label": "Quality of working copies"}
USE_DAMAGED = {
    "label": "Use damaged pictures",
    "help": "as far as they can be read; each says so, and too little is refused all the same",
}
PICTURES_OF_FILE_MAX = 200
EVERY_PICTURE = {
    "label": "All pictures of a file",
    "help": f"of an animation or a TIFF, up to {PICTURES_OF_FILE_MAX}; else the first that shows something",
}
