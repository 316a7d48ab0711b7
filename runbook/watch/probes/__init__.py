"""The samplers' looks: each asks one thing of the world, only reads, and remembers what it must.

A look says what it saw as figures of the board, or as `Seen`: alarms, or why nothing is known.
"""
