"""Tables of the site itself."""
