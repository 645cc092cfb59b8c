"""A language model behind an address: servers that speak as OpenAI's does."""
