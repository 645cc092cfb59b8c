"""Students that are Transformers: from scratch, from a folder, or cut from layers."""
