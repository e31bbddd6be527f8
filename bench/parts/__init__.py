"""The parts of the benchmark, each by itself: what it measures and the lines that this gives."""
