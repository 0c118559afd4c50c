"""Scripts that make the built-in networks from training material; the running application never imports them."""
