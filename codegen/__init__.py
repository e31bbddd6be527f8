"""The build-time generator: proto descriptors in, a typed Python package out. Never in the wheel."""
