"""The command ``ganedu``, one command a file."""
