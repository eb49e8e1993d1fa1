"""Starts the Python runtime of Kagero where an environment has several events at once; the work is in
`_kagero`."""

from _kagero import managed

if __name__ == "__main__":
    managed.main()
