"""Pure tensor mathematics of the estimators: no model, no file, no gradient source."""
