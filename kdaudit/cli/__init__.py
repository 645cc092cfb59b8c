"""One file per command: parse, call, print, exit. No logic lives here."""
