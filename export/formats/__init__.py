"""Encoding of exported pictures and masks."""
