"""What may not stand in a line, and what to write instead."""

LOOP = "a loop: write out each turn, with names of its own, such as h1, h2, h3"
FUNCTION = "a function: write what it does as lines, each with a name"
CHOICE = "an if: np.where(mask, A, B) chooses cell by cell"
IMPORT = "an import: np is there already, and nothing else is needed"
NUMBERS = "a line holds numbers such as 0.5: no text, no True or None, no complex number"
EARLY = ("ListComp", "SetComp", "DictComp", "GeneratorExp", "Lambda", "IfExp", "JoinedStr", "NamedExpr")
PART = "a part is changed in place: make the whole value in one line, with np.where or np.concatenate"
SYNTAX = {  # by the name that Python has for it
    "For": LOOP, "While": LOOP, "AsyncFor": LOOP, "ListComp": LOOP, "SetComp": LOOP, "DictComp": LOOP,
    "GeneratorExp": LOOP, "FunctionDef": FUNCTION, "AsyncFunctionDef": FUNCTION, "ClassDef": FUNCTION,
    "Lambda": FUNCTION, "If": CHOICE, "IfExp": CHOICE, "Match": CHOICE, "Import": IMPORT, "ImportFrom": IMPORT,
    "AugAssign": "a value is changed in place: give the new one a name of its own",
    "AnnAssign": "an annotation: write the name, =, and what it is",
    "JoinedStr": NUMBERS, "Constant": NUMBERS,
    "NamedExpr": "a walrus: give the part a line of its own",
    "BoolOp": "and, or: masks are joined cell by cell with & and |, each in parentheses",
    "Not": "not: a mask is inverted with ~",
    "Starred": "a star: name each value",
    "BitXor": "^: a power is written with **",
    "Return": 'a return: a line is "name = expression", and the last one is the loss',
    "FloorDiv": "//: it has no slope",
    "Mod": "%: it has no slope",
    "List": "a list: give its numbers among the data, or join values with np.concatenate or np.stack",
    "Tuple": "several values: one line gives one",
    "Dict": "a dict: give each value a name",
    "Set": "a set: give each value a name",
}  # fmt: skip
DATA = "give it among the data"
WINDOW = "name each window, such as x[:, 0:3]"
SORTED = "where the order stays as it is, give it among the data, and write X[order]"
INSTEAD = {  # of a function
    "sort": SORTED, "partition": SORTED,
    "argsort": DATA, "argmax": DATA, "argmin": DATA, "array": DATA, "asarray": DATA, "zeros": DATA, "ones": DATA,
    "full": DATA, "identity": "write np.eye", "tril": DATA, "triu": DATA, "int": DATA, "linspace": DATA,
    "random": "draw the numbers before, and give them among the data",
    "cumsum": "write the sums one after another, such as s2 = s1 + x2",
    "cumprod": "write the products one after another", "prod": "write the product with *",
    "power": "write X**2", "pow": "write X**2", "float_power": "write X**2", "reciprocal": "write 1 / X",
    "add": "write A + B", "subtract": "write A - B", "multiply": "write A * B", "divide": "write A / B",
    "negative": "write -X", "transpose": "write X.mT", "swapaxes": "write X.mT", "outer": "write a[:, None] * b",
    "inner": "write a @ b", "vdot": "write a @ b", "tensordot": "write np.einsum",
    "expand_dims": "write X[:, None]", "squeeze": "write X[:, 0]", "take": "write C[ix]",
    "flatten": "write X.reshape(-1)", "ravel": "write X.reshape(-1)",
    "hstack": "write np.concatenate([A, B], axis=1)", "vstack": "write np.concatenate([A, B], axis=0)",
    "pad": "join zeros from the data with np.concatenate", "linalg": "write it with @, sums and np.sqrt",
    "norm": "write np.sqrt(np.sum(X**2))", "tan": "write np.sin(X) / np.cos(X)", "expm1": "write np.exp(X) - 1",
    "log2": "write np.log(X) / np.log(2)", "log10": "write np.log(X) / np.log(10)",
    "sigmoid": "write 1 / (1 + np.exp(-X))", "relu": "write np.maximum(X, 0)",
    "softmax": "write np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)",
    "range": "write np.arange", "min": "write np.min", "max": "write np.max", "sum": "write np.sum",
    "float": "leave it out", "astype": "leave it out", "copy": "leave it out", "item": "leave it out",
    "as_strided": WINDOW, "sliding_window_view": WINDOW, "strides": WINDOW, "lib": WINDOW,
}  # fmt: skip


OTHERWISE = "write it with operators and what is known here"


def instead(name: str, otherwise: str = OTHERWISE) -> str:
    """What to write in place of a function."""
    return INSTEAD.get(name, otherwise)
