"""What blueprime takes for true of Aurora though AWS does not say it, and what a night showed.

`table` has them all, each with an id and with what settles it. Most are settled by what the journal
keeps anyway; `observation` is for what a step looks at for this alone.
"""
