"""Which functions a line may call, on how many values; and those that are others, spelled otherwise."""

from difflib import get_close_matches

from backprop_lab.deriving.refusals import OTHERWISE
from backprop_lab.deriving.shapes import FUNCTIONS

REDUCTIONS = ("sum", "mean", "var", "std", "max", "min")
TAKES: dict[str, tuple[int, int, tuple[str, ...]]] = {  # arguments at least, at most, and those by name
    **{name: (n, n, ()) for name, n in FUNCTIONS.items()}, **dict.fromkeys(REDUCTIONS, (1, 2, ("axis", "keepdims"))),
    "reshape": (2, 9, ()), "dot": (2, 2, ()), "matmul": (2, 2, ()), "einsum": (3, 3, ()), "arange": (1, 1, ()),
    "eye": (1, 1, ()), "concatenate": (1, 2, ("axis",)), "stack": (1, 2, ("axis",)),
    "transpose": (1, 9, ()), "swapaxes": (3, 3, ()),
}  # fmt: skip
METHODS = (*REDUCTIONS, "reshape", "dot", "clip", "transpose", "swapaxes", "ravel", "flatten", "copy")
ALIASES = {"absolute": "abs", "fabs": "abs", "amax": "max", "amin": "min", "concat": "concatenate"}
SPELLED: dict[str, dict[int, str]] = {  # what it is, by how many axes its values have: A0 and A1, or all of a list
    "outer": {1: "A0[:, None] * A1[None, :]"},
    "inner": {1: "A0 @ A1"},
    "hstack": {1: "np.concatenate([...])", 2: "np.concatenate([...], axis=1)"},
    "vstack": {1: "np.stack([...])", 2: "np.concatenate([...])"},
    "column_stack": {1: "np.stack([...], axis=1)", 2: "np.concatenate([...], axis=1)"},
    **dict.fromkeys(("ravel", "flatten"), dict.fromkeys(range(1, 5), "A0.reshape(-1)")),
    "copy": dict.fromkeys(range(5), "A0"),
}


def spelled_otherwise(name: str, axes: list[int], is_list: bool) -> str:
    """The line that says the same, over A0, A1 and so on, which have so many axes each; "" where there is none."""
    line = SPELLED[name].get(axes[0], "") if len({*axes}) == 1 else ""
    names = [f"A{at}" for at in range(len(axes))]
    takes = names if "..." in line else [each for each in ("A0", "A1") if each in line]
    return line.replace("...", ", ".join(names)) if takes == names and is_list == ("..." in line) else ""


def meant(name: str) -> str:
    """What to write in place of a function that is not known: one that is called nearly so, if there is one."""
    close = get_close_matches(name, TAKES, 1, 0.7)
    return f"is np.{close[0]} meant?" if close else OTHERWISE
