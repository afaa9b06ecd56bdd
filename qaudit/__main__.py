"""python -m qaudit."""

from qaudit.cli.main import main

if __name__ == "__main__":
    main()
