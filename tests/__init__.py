"""Tests; the import makes the runtime type checker known by its dotted name."""

from tests import runtime_types as runtime_types
