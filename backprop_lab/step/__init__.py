"""One training step written down: the problem, its trace, and problems to start from."""
