"""What a function imports of its own package."""
