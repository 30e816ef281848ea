"""From the lines of a forward pass in NumPy to the lines of its backward pass, as a person would write them."""
