"""Digests and provenance: what makes evidence checkable a year later."""
