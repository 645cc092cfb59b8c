"""What was recorded by running models, where it is kept, and how suites see it."""
