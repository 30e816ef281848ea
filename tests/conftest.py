"""What holds for every test: Hypothesis tries the same examples in every run, and however long they take."""

from hypothesis import settings

settings.register_profile("backprop_lab", derandomize=True, deadline=None)
settings.load_profile("backprop_lab")
