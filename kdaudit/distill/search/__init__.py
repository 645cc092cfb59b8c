"""Search over the fields of a recipe."""
