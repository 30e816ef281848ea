"""Which mistake was it? An answer beside the right one, and what explains the difference."""
