"""Scripts of the repository itself: gates, environments, the demo's base."""
