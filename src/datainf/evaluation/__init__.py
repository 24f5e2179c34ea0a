"""How good scores are: detection, retrieval, baselines, intervals; needs no torch."""
