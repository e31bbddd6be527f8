"""Tests of the generator, and its awkward fragments of contracts."""
