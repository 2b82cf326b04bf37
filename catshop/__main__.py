"""`python -m catshop`: the same as the `catshop` command.

For where the command is not on the path; everything is in the package next door.
Next: `catshop/cli/commands.py`.
"""

from catshop.cli import main

if __name__ == "__main__":
    main()
