"""The network, in NumPy alone: what a layer, a loss and an optimizer are, their lines, and a step of them in order."""
