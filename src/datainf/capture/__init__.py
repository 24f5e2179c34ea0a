"""Per-example gradients of a whole batch in one forward and one backward pass."""
