"""One file per job of a user: collect, score, attribute, rank suspects, report."""
