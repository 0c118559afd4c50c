"""Settings, addresses, start-up and health of the whole site."""
