"""Scores as one HTML file that opens offline; needs no torch."""
