"""Families of denoisers: one file each; `table` lists them."""
