"""What goes into a client's own process, so that it finds a pseudo-terminal to be like the port of a real adapter."""
