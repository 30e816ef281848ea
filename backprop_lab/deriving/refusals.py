"""What may not stand in a line, and what to write instead."""

from collections.abc import Collection

LOOP = "a loop: write out each turn, with names of its own, such as h1, h2, h3"
FUNCTION = "a function: write what it does as lines, each with a name"
CLASS = "a class: write what its forward pass does as lines, each with a name"
CHOICE = "an if: np.where(mask, A, B) chooses cell by cell"
IMPORT = "an import: np is there already, and nothing else is needed"
NUMBERS = "a line holds numbers such as 0.5: no text, no True or None, no complex number"
EARLY = ("ListComp", "SetComp", "DictComp", "GeneratorExp", "Lambda", "IfExp", "JoinedStr", "NamedExpr")
PART = "a part is changed in place: make the whole value in one line, with np.where or np.concatenate"
PICKED = f"{PART}; P[np.arange(N), y] -= 1 is P - np.eye(P.shape[1])[y]"
ALONE = "{}: a value has a plain name here: write {}"
SYNTAX = {  # by the name that Python has for it
    "For": LOOP, "While": LOOP, "AsyncFor": LOOP, "ListComp": LOOP, "SetComp": LOOP, "DictComp": LOOP,
    "GeneratorExp": LOOP, "FunctionDef": FUNCTION, "AsyncFunctionDef": FUNCTION, "ClassDef": CLASS,
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
    "Mod": "%: no line here can compute it",
    "List": "a list: put its numbers among the data, or join values with np.concatenate or np.stack",
    "Tuple": "several values: one line gives one",
    "Dict": "a dict: give each value a name",
    "Set": "a set: give each value a name",
}  # fmt: skip
OF_A_SHAPE = (
    "`{}` must be made of sizes, such as len(X), and of whole numbers that are written out, if need be in a line such "
    "as k = 2, with + - * // at most"
)
STEPS = "steps in a slice have no rule: put places = np.arange({})[{}] among the data, and write {}[{}places]"
DATA = "put it among the data"
WINDOW = "name each window, such as x[:, 0:3]"
JOIN = f"{DATA}, or join values with np.concatenate or np.stack"
BESIDE = "write np.concatenate([A, B], axis=1), or np.concatenate([a, b]) of vectors"
COLUMNS = "write np.concatenate([A, B], axis=1), or np.stack([a, b], axis=1) of vectors"
ROWS = "write np.concatenate([A, B], axis=0), or np.stack([a, b]) of vectors"
UNKNOWN = "no line here can compute it; if nothing learnt is in it, put it among the data"
MASK = "put the mask among the data, such as np.tri(n), and write A * mask, or np.where(mask, A, -1e9) for scores"
SIGMOID = "write 1 / (1 + np.exp(-X))"
LOG_SUM = (
    "write m + np.log(np.exp(X - m[:, None]).sum(axis=1)), where m = X.max(axis=1); of a vector, without axis=1 and "
    "[:, None]"
)
LOG_SUM_KEPT = "write m + np.log(np.exp(X - m).sum(axis=1, keepdims=True)), where m = X.max(axis=1, keepdims=True)"
ERF = "it is not NumPy's; 1 + erf(X / sqrt(2)) is nearly 1 + np.tanh(np.sqrt(2 / np.pi) * (X + 0.044715 * X**3))"
NONE = "it has no slope"
ORDER = "put the order among the data, and write X[order]"
AGAIN = "name the value several times in np.concatenate or np.stack"
REPEATED = (
    "put places = np.repeat(np.arange(n), 2) among the data, and write X[places]; without an axis, "
    "X.reshape(-1)[places]"
)
OF_ORD = (
    "write what this ord means: along an axis, or of a vector, 1 is np.sum(np.abs(x)) and 2 is np.sqrt(np.sum(x**2)); "
    'of a matrix, "fro" is np.sqrt(np.sum(X**2)) and 1 is np.max(np.sum(np.abs(X), axis=0))'
)
PRODUCT = "write the numbers with * between them, such as x[0] * x[1] * x[2], or X[:, 0] * X[:, 1] along axis 1"
ONE = "leave it out where X is one number; np.sum(X) makes one number of others"
SORTED = "where the order stays as it is, put it among the data, and write X[order]"
INSTEAD = {  # of a function
    "sort": SORTED, "partition": SORTED,
    "argsort": DATA, "argmax": DATA, "argmin": DATA, "array": JOIN, "asarray": JOIN, "zeros": DATA, "ones": DATA,
    "zeros_like": DATA, "ones_like": DATA,
    "full": "put ones among the data, and write c * ones", "identity": "write np.eye", "tril": MASK, "triu": MASK,
    "int": DATA, "linspace": DATA,
    "random": "draw the numbers before, and put them among the data",
    "cumsum": "put T = np.tri(n) among the data, and write T @ X, or X @ T.T along axis 1",
    "cumprod": "write the products one after another", "prod": PRODUCT,
    "power": "write X**2", "pow": "write X**2", "float_power": "write X**2", "reciprocal": "write 1 / X",
    "add": "write A + B", "subtract": "write A - B", "multiply": "write A * B", "divide": "write A / B",
    "negative": "write -X", "outer": "write a[:, None] * b[None, :]",
    "inner": "write a @ b, or A @ B.T of matrices", "vdot": "write np.sum(a * b)", "tensordot": "write np.einsum",
    "expand_dims": "write X[None] for axis 0, X[:, None] for axis 1",
    "squeeze": "write X[0] or X[:, 0], for the axis of length 1",
    "take": "write C[ix]",
    "flatten": "write X.reshape(-1)", "ravel": "write X.reshape(-1)",
    "hstack": BESIDE, "column_stack": COLUMNS, "c_": COLUMNS, "vstack": ROWS,
    "pad": "join zeros from the data with np.concatenate", "linalg": UNKNOWN,
    "norm": "write np.sqrt(np.sum(X**2)), with the same axis and keepdims; its square is np.sum(X**2)",
    "norm of several": OF_ORD,
    "tan": "write np.sin(X) / np.cos(X)", "expm1": "write np.exp(X) - 1",
    "exp2": "write np.exp(np.log(2) * X)", "fmax": "write np.maximum(A, B)", "fmin": "write np.minimum(A, B)",
    "ptp": "write np.max(X) - np.min(X)", "diagonal": "the diagonal of X is np.sum(X * np.eye(len(X)), axis=1)",
    "convolve": WINDOW, "correlate": WINDOW,
    "take_along_axis": "write P[np.arange(len(P)), y]",
    "moveaxis": "write np.transpose", "select": "write np.where within np.where", "percentile": UNKNOWN,
    "quantile": UNKNOWN, "erf": ERF, "sinc": UNKNOWN, "greater": "write A > B", "less": "write A < B",
    "broadcast_to": "put ones among the data, and write X * ones",
    "log2": "write np.log(X) / np.log(2)", "log10": "write np.log(X) / np.log(10)",
    "sigmoid": SIGMOID, "expit": SIGMOID, "relu": "write np.maximum(X, 0)",
    "softmax": "write np.exp(Z) / np.exp(Z).sum(axis=-1, keepdims=True)",
    "log_softmax": "write Z - np.log(np.exp(Z).sum(axis=-1, keepdims=True))",
    "logsumexp": LOG_SUM, "logsumexp with keepdims": LOG_SUM_KEPT, "logaddexp.reduce": LOG_SUM,
    "add.reduce": "write np.sum", "maximum.reduce": "write np.max",
    "leaky_relu": "write np.maximum(X, 0.01 * X)", "softplus": "write np.logaddexp(0, X)",
    "gelu": "write 0.5 * X * (1 + np.tanh(np.sqrt(2 / np.pi) * (X + 0.044715 * X**3)))",
    "silu": "write X / (1 + np.exp(-X))", "cosh": "write (np.exp(X) + np.exp(-X)) / 2",
    "sinh": "write (np.exp(X) - np.exp(-X)) / 2", "heaviside": "np.heaviside(X, 0) is 1.0 * (X > 0)",
    "trace": "write np.sum(X * np.eye(len(X)))", "average": "write np.mean, or np.sum(w * X) / np.sum(w)",
    "nansum": "write np.sum", "diff": "write X[1:] - X[:-1]", "median": UNKNOWN,
    "diag": "np.diag(d) is d[:, None] * np.eye(len(d)), and the diagonal of X np.sum(X * np.eye(len(X)), axis=1)",
    **dict.fromkeys(("arctan", "arctan2", "arcsin", "arccos", "arctanh", "arcsinh", "arccosh"), UNKNOWN),
    "one_hot": "write np.eye(3)[y] for 3 classes",
    "cross": "write its three numbers, such as a[1] * b[2] - a[2] * b[1]",
    "round": NONE, "floor": NONE, "ceil": NONE, "flip": ORDER, "roll": ORDER,
    **dict.fromkeys(("split", "array_split", "hsplit", "vsplit"), "name each part, such as X[:, 0:3]"),
    "repeat": REPEATED, "tile": AGAIN,
    "max of several": "write np.maximum(A, B), which takes the larger of two, cell by cell",
    "min of several": "write np.minimum(A, B), which takes the smaller of two, cell by cell",
    "range": "write np.arange(n)", "min": "write np.min", "max": "write np.max", "sum": "write np.sum",
    "float": "leave it out", "float32": "leave it out", "float64": "leave it out", "astype": "leave it out",
    "item": ONE,
    "as_strided": WINDOW, "sliding_window_view": WINDOW, "strides": WINDOW, "lib": WINDOW,
}  # fmt: skip


MODULES = {"numpy", "torch", "jnp"}  # whose functions are called as NumPy's are
OTHERWISE = "write it with operators and what is known here"


def instead(name: str, otherwise: str = OTHERWISE, values: int = 1, named: Collection[str] = ()) -> str:
    """What to write in place of a function of so many values and of `named` ones, such as exp or linalg.norm."""
    how = "of several" if values + ("ord" in named) > 1 else "with keepdims" if "keepdims" in named else ""
    last = name.split(".")[-1]
    names = f"{last} {how}", name, last, name.split(".")[0]
    return next((INSTEAD[each] for each in names if each in INSTEAD), otherwise)
