"""Is my homework right? A loss with its gradients, or a backward pass as text, both in a learner's own names."""
