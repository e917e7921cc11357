"""`dspy-profiles run`: a program on a profile, with not a line of it changed.

The parent resolves the profile, puts it into the environment, and becomes the child (`launching`,
`commands`, `processes`). In the child, `site/sitecustomize.py` waits for DSPy to be imported, and
`child` pins the profile beneath it.
"""
