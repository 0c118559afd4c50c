"""Draws as text what pages have dozens or thousands of; a template takes ten times as long.

Only modules here and `drawing.py` of the other apps mark text as safe: they escape whatever came from outside, and
the pages they draw are tested with hostile names.
"""
