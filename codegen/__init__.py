"""The build-time generator: descriptors in, a typed Python package out. Never in the wheel."""
