"""`python -m catshop`: the same as the `catshop` command."""

from catshop.cli import main

if __name__ == "__main__":
    main()
