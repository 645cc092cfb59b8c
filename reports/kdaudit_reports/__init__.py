"""Renderers shipped with kdaudit: (results, run) in, text out; no clock, no disk, no model."""
