"""Presets of loss terms and learners, and the tables that say them."""
