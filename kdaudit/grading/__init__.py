"""Grade what a language model wrote: rules on text, no model, no network; English word lists."""
