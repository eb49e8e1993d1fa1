"""Starts the Python runtime of Kagero inside an environment; the work is in `_kagero`."""

from _kagero import loop

if __name__ == "__main__":
    loop.main()
