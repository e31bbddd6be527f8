"""What runs in the workers: this SDK and its peers, each in an environment of its own.

These modules import the standard library, their peer and each other; nothing else of bench.
"""
