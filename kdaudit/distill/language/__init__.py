"""Causal language models: text to blocks of tokens, loss terms by chunks, samples, and recipes."""
