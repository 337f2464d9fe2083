"""`python -m samesight` is the command line."""

from samesight.cli.main import main

if __name__ == "__main__":
    main()
