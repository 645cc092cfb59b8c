"""Pictures as data: Python computes coordinates, a macro prints them, CSS classes colour them."""
