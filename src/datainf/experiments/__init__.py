"""The paper's experiments and the demo: workflows with fixed settings and data."""
