"""The promise made before there are results: what it holds, and whether it still does."""
