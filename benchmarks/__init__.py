"""Benchmarks: one file for each claim of speed, run by `make bench`."""
