"""One adapter per kind of model; nothing here knows what a teacher is."""
