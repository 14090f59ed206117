"""Where trials come from: backends, each with the same interface."""
