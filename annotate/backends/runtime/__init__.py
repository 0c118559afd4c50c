"""What runs networks: sessions, devices, their memory, and models that stay open."""
