"""HTML of what pages have dozens or thousands of, by Jinja2 macros of plain values (`ingest.views.macros`)."""
