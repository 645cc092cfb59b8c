"""One loop: who learns, from which rows, how fast, and what is kept."""
