"""How pictures reach networks: decoding, preparation and batching, in parallel with the networks."""
