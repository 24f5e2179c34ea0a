"""`python -m datainf` is the command `datainf`."""

from datainf.cli import main

if __name__ == "__main__":
    main()
