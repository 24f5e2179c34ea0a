"""Estimators: from per-example gradients to scores, one file a method."""
