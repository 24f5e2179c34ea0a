"""Gradient stores: shards on disk, their manifest, and a source in memory."""
