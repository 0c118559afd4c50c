"""Scripts that train the built-in networks; the running application never imports them."""
