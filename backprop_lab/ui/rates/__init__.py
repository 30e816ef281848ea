"""Many runs at many learning rates: which there are, their map, what is said of them, and the lab that joins these."""
