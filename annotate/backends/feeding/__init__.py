"""How pictures reach networks: decoding, preparing, batching, side by side with the network."""
