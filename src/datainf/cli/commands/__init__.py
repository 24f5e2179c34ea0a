"""Bodies of the commands: what was given -> one workflow call -> stdout."""
