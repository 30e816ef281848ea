"""One training step under the learner's hand: where they are, what is said of it, and the lab that joins it with the board."""
