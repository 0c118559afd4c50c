"""Running networks: sessions, devices, their memory, input preparation, and open models."""
