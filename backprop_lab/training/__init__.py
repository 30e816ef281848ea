"""Many steps, and many runs: what training remembers, the sweep, and how large a learning rate theory allows."""
