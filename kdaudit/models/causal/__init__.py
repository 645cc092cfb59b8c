"""Causal language models of Transformers, asked on this machine."""
