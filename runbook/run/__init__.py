"""A run as a screen or a script holds it: its checklist, its branches, its session."""
