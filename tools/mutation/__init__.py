"""Change the engine in one place, see that a test fails, and change it back: the parts of tools/mutate.py."""
