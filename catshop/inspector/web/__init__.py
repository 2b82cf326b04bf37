"""What a browser is shown of a recording that is being made: pages, and who may see them.

Loaded for `catshop serve --inspect` and never without it: an import contract keeps it out of every
server that others can reach. Next: `desk.py`, which page is where.
"""
