"""`python -m commerce` is the `commerce` command."""

from commerce.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
