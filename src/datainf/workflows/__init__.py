"""One file per job of a user: collect, score, attribute, find mislabelled rows, report."""
