"""Generators of the data that experiments run on: pure Python, one file a family."""
