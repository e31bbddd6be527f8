"""Benchmarks: ``python -m bench`` measures this SDK next to what a user would pick instead.

How to run it and what each case is: ``docs/benchmarks.md``.
"""
