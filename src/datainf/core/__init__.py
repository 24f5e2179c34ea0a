"""Vocabulary of the package: values, protocols and errors; imports nothing of ours."""
