"""Labels and help texts of the settings that stages share; shown by ingest/views/run_form.py."""

from __future__ import annotations

PICTURE_FORMAT = {
    "label": "Picture format",
    "choices": (
        ("jpeg", "jpeg: fast, small"),
        ("png", "png: lossless, large"),
        ("webp", "webp: slow, smallest"),
        ("webp-lossless", "lossless webp: smaller than png, slowest"),
    ),
    "help": "how kept pictures are stored; exports have their own format",
}
PICTURE_QUALITY = {"label": "Picture quality", "help": "1 to 100, for jpeg and webp"}
COPY_FORMAT = PICTURE_FORMAT | {
    "label": "Format of working copies",
    "help": "for pages and models that cannot use the original file; originals are always kept",
}
COPY_QUALITY = PICTURE_QUALITY | {"label": "Quality of working copies"}
USE_DAMAGED = {
    "label": "Use damaged pictures",
    "help": "use the readable part, with a note; pictures with too little of it are refused",
}
PICTURES_OF_FILE_MAX = 200
EVERY_PICTURE = {
    "label": "All pictures per file",
    "help": f"of animations and TIFF files, up to {PICTURES_OF_FILE_MAX}; off: the first that is not blank",
}
