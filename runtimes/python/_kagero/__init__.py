"""Kagero's runtime client for Python 3.6 and later. Nothing here is an interface for functions."""
