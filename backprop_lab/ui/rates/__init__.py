"""Many training runs at many learning rates: their state, their map, what is said about them, and the lab."""
