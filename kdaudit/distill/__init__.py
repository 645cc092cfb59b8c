"""Sources, objectives and participants; a method is a preset of these."""
