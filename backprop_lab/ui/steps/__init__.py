"""One training step under the learner's control: its state, what is said about it, and the lab that shows it."""
