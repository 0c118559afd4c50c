"""Commands of export."""
