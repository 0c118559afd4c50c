"""Who is on a picture: by names that came with it, and by comparing its faces with named ones."""
