"""`python -m payme`: the command `payme`, where the script is not on the path."""

from payme.cli import main

if __name__ == "__main__":
    main()
