"""What the pytest plugin does, apart from its hooks and fixtures; loaded when a test first asks for it."""
