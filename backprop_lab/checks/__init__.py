"""Is the gradient right? Derivatives without calculus, how much rounding there can be, and the verdict."""
