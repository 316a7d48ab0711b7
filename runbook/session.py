"""A run that is open in this process: the one object that a screen or a script holds.

It joins the runner (which performs), the checklist (what stands), the ways back (what may be
branched into) and the board (what is seen live).
"""
