"""`python -m netrelay` is the command `netrelay`."""

from netrelay.cli.main import main

if __name__ == "__main__":
    main()
