"""Networks that courses take apart by hand, as lines of NumPy, each small enough for one screen."""

from collections.abc import Callable, Mapping

import numpy as np

from backprop_lab.nn.lines import Array
from backprop_lab.step.problem import Problem


def batch_norm() -> Problem:
    """Batch normalisation between two linear layers: 4 samples, 3 inputs, 3 hidden units, 2 outputs.

    The first layer has no bias, as the mean that is taken off would take it away again.
    Source: Ioffe and Szegedy, https://arxiv.org/abs/1502.03167
    """
    lines = """
        A = X @ W1
        mu = A.mean(axis=0, keepdims=True)
        D = A - mu
        var = (D**2).mean(axis=0, keepdims=True)
        Ahat = D / np.sqrt(var + 1e-5)
        N = gamma * Ahat + beta
        H = np.maximum(N, 0)
        y_pred = H @ W2 + b2
        L = np.sum((y_pred - y)**2) / len(y)
    """
    given = _drawn(2, X=(4, 3), y=(4, 2), W1=(3, 3), W2=(3, 2))
    given |= {"gamma": np.ones((1, 3)), "beta": np.zeros((1, 3)), "b2": np.zeros((1, 2))}
    return _problem(lines, given, ("W1", "gamma", "beta", "W2", "b2"), lr=0.1)


def residual() -> Problem:
    """A residual block, whose input goes around its two layers as well as through them, and a linear layer.

    4 samples, 3 inputs, 3 hidden units, 2 outputs.
    Source: He, Zhang, Ren and Sun, https://arxiv.org/abs/1512.03385
    """
    lines = """
        A1 = X @ W1 + b1
        H1 = np.maximum(A1, 0)
        R = X + H1 @ W2 + b2
        H2 = np.maximum(R, 0)
        y_pred = H2 @ W3 + b3
        L = np.sum((y_pred - y)**2) / len(y)
    """
    given = _drawn(4, X=(4, 3), y=(4, 2), W1=(3, 3), b1=(1, 3), W2=(3, 3), b2=(1, 3), W3=(3, 2), b3=(1, 2))
    return _problem(lines, given, ("W1", "b1", "W2", "b2", "W3", "b3"), lr=0.1)


def rnn() -> Problem:
    """A recurrent network over three steps, with a loss at each: 2 samples, 3 inputs, 3 hidden units, 2 outputs.

    Source: Elman, "Finding structure in time", Cognitive Science 14 (1990) 179-211; its backward pass through time:
    Werbos, Proceedings of the IEEE 78 (1990) 1550-1560
    """
    lines = """
        a1 = x1 @ Wx + h0 @ Wh + b
        h1 = np.tanh(a1)
        a2 = x2 @ Wx + h1 @ Wh + b
        h2 = np.tanh(a2)
        a3 = x3 @ Wx + h2 @ Wh + b
        h3 = np.tanh(a3)
        p1 = h1 @ Wy + by
        p2 = h2 @ Wy + by
        p3 = h3 @ Wy + by
        L = np.sum((p1 - y1)**2) + np.sum((p2 - y2)**2) + np.sum((p3 - y3)**2)
    """
    inputs = dict.fromkeys(("x1", "x2", "x3"), (2, 3))
    targets = dict.fromkeys(("y1", "y2", "y3"), (2, 2))
    given = _drawn(4, **inputs, **targets, Wx=(3, 3), Wh=(3, 3), b=(1, 3), Wy=(3, 2), by=(1, 2))
    given["h0"] = np.zeros((2, 3))
    return _problem(lines, given, ("Wx", "Wh", "b", "Wy", "by"), lr=0.05)


def lstm() -> Problem:
    """One step of an LSTM: 2 samples, 3 inputs and 2 units, whose gates i, f, o and candidates g stand side by side.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9 (1997) 1735-1780; the forget gate
    f: Gers, Schmidhuber and Cummins, Neural Computation 12 (2000) 2451-2471; the order of the gates: CS231n
    """
    lines = """
        a = x @ Wx + h0 @ Wh + b
        i = 1 / (1 + np.exp(-a[:, 0:2]))
        f = 1 / (1 + np.exp(-a[:, 2:4]))
        o = 1 / (1 + np.exp(-a[:, 4:6]))
        g = np.tanh(a[:, 6:8])
        c = f * c0 + i * g
        tanh_c = np.tanh(c)
        h = o * tanh_c
        L = np.sum((h - y)**2)
    """
    given = _drawn(4, x=(2, 3), h0=(2, 2), c0=(2, 2), y=(2, 2), Wx=(3, 8), Wh=(2, 8), b=(1, 8))
    return _problem(lines, given, ("Wx", "Wh", "b"), lr=0.2)


def attention() -> Problem:
    """A head of self-attention: 4 tokens of 3 features, with queries, keys and values of 2.

    Source: Vaswani and others, "Attention is all you need", https://arxiv.org/abs/1706.03762
    """
    lines = """
        Q = X @ Wq
        K = X @ Wk
        V = X @ Wv
        S = Q @ K.mT
        Z = S / np.sqrt(Q.shape[1])
        A = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
        O = A @ V
        L = np.sum((O - y)**2) / len(y)
    """
    given = _drawn(4, X=(4, 3), y=(4, 2), Wq=(3, 2), Wk=(3, 2), Wv=(3, 2))
    return _problem(lines, given, ("Wq", "Wk", "Wv"), lr=0.2)


def transformer_block() -> Problem:
    """A transformer block of one head, in which no token sees a later one, and a guess at the letter that comes next.

    5 tokens of 4 features, with queries, keys and values of 3; 6 hidden units; 2 letters. The gradient of its input X
    is there too, as a block below would take it. No two sizes are the same, so that the wrong one is seen to be wrong.
    Source: Vaswani and others, https://arxiv.org/abs/1706.03762; the norms come first, as in GPT-2
    """
    lines = """
        mu1 = X.mean(axis=1, keepdims=True)
        D1 = X - mu1
        var1 = (D1**2).mean(axis=1, keepdims=True)
        Xhat1 = D1 / np.sqrt(var1 + 1e-5)
        N1 = gamma1 * Xhat1 + beta1
        Q = N1 @ Wq
        K = N1 @ Wk
        V = N1 @ Wv
        S = Q @ K.mT
        Z = np.where(before, S / np.sqrt(Q.shape[1]), -1e9)
        A = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
        O = A @ V
        X1 = X + O @ Wo
        mu2 = X1.mean(axis=1, keepdims=True)
        D2 = X1 - mu2
        var2 = (D2**2).mean(axis=1, keepdims=True)
        Xhat2 = D2 / np.sqrt(var2 + 1e-5)
        N2 = gamma2 * Xhat2 + beta2
        F = N2 @ W1 + b1
        H = np.maximum(F, 0)
        X2 = X1 + H @ W2 + b2
        scores = X2 @ Wu
        P = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        L = -np.log(P[np.arange(len(y)), y]).mean()
    """
    heads = dict.fromkeys(("Wq", "Wk", "Wv"), (4, 3))
    given = _drawn(113, X=(5, 4), **heads, Wo=(3, 4), W1=(4, 6), W2=(6, 4), Wu=(4, 2))
    norms = {"gamma1": np.ones((1, 4)), "beta1": np.zeros((1, 4)), "gamma2": np.ones((1, 4)), "beta2": np.zeros((1, 4))}
    given |= norms | {"b1": np.zeros((1, 6)), "b2": np.zeros((1, 4))}
    given |= {"before": np.tri(5, dtype=bool), "y": np.array([1, 1, 0, 1, 0])}
    learnt = ("gamma1", "beta1", "Wq", "Wk", "Wv", "Wo", "gamma2", "beta2", "W1", "b1", "W2", "b2", "Wu")
    return _problem(lines, given, learnt, lr=0.1, gradients=("X",))


def convolution() -> Problem:
    """A convolution along a row, and the largest of what it finds: 4 samples of 5 numbers, one filter of 3.

    Source: LeCun and others, "Backpropagation applied to handwritten zip code recognition", Neural Computation 1 (1989)
    541-551; with a max-pool, as in CS231n
    """
    lines = """
        z0 = x[:, 0:3] @ w + b
        z1 = x[:, 1:4] @ w + b
        z2 = x[:, 2:5] @ w + b
        Z = np.concatenate([z0, z1, z2], axis=1)
        H = np.maximum(Z, 0)
        m = H.max(axis=1, keepdims=True)
        L = np.sum((m - y)**2) / len(y)
    """
    given = _drawn(910, x=(4, 5), y=(4, 1), w=(3, 1), b=(1, 1))
    return _problem(lines, given, ("w", "b"), lr=0.1)


def word_vectors() -> Problem:
    """A word guessed from those on its left and right: 4 samples, 5 words, a vector of 3 numbers for each.

    Source: Mikolov, Chen, Corrado and Dean, the continuous bag of words, https://arxiv.org/abs/1301.3781
    """
    lines = """
        h = (C[left] + C[right]) / 2
        S = h @ U
        P = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)
        L = -np.log(P[np.arange(len(y)), y]).mean()
    """
    given = _drawn(3, C=(5, 3), U=(3, 5))
    words = {"left": np.array([0, 1, 2, 0]), "right": np.array([2, 3, 4, 4]), "y": np.array([1, 2, 3, 1])}
    return _problem(lines, given | words, ("C", "U"), lr=0.5)


def _drawn(seed: int, **shapes: tuple[int, ...]) -> dict[str, Array]:
    """Random numbers with one decimal, which are 0 on average and 0.7 away from it, in each of these shapes."""
    rng = np.random.default_rng(seed)
    return {name: (0.7 * rng.standard_normal(shape)).round(1) for name, shape in shapes.items()}


def _problem(
    lines: str, given: Mapping[str, Array], learnt: tuple[str, ...], lr: float, gradients: tuple[str, ...] = ()
) -> Problem:
    from backprop_lab.step.program import program  # nobody who asks for another example waits for it

    data = {name: value for name, value in given.items() if name not in learnt}
    return program(lines, {name: given[name] for name in learnt}, data, lr=lr, gradients=gradients)


EXAMPLE_PROGRAMS: dict[str, Callable[[], Problem]] = {
    "batch norm": batch_norm,
    "residual": residual,
    "rnn": rnn,
    "lstm": lstm,
    "attention": attention,
    "transformer block": transformer_block,
    "convolution": convolution,
    "word vectors": word_vectors,
}
