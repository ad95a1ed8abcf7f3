"""A minimal, hardened flashing core for Espressif chips."""
