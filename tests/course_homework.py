"""Homework as courses set it, in their names and layouts: for each a loss, its parameters and gradients."""

import numpy as np


def drawn(seed, **shapes):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def softmax_classifier():
    """Samples are rows, labels are whole numbers, and there is a penalty."""
    X, y, reg = drawn(0, X=(6, 4))["X"], np.array([0, 2, 1, 1, 0, 2]), 0.05

    def loss(W):
        scores = X @ W
        scores = scores - scores.max(axis=1, keepdims=True)
        probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        dscores = probs.copy()
        dscores[np.arange(6), y] -= 1
        dW = X.T @ dscores / 6 + 2 * reg * W
        return -np.log(probs[np.arange(6), y]).mean() + reg * np.sum(W * W), dW

    return loss, drawn(1, W=(4, 3))


def support_vectors():
    """A hinge for each wrong class, half a penalty."""
    X, y, reg = drawn(2, X=(6, 4))["X"], np.array([0, 2, 1, 1, 0, 2]), 0.1

    def loss(W):
        scores = X.dot(W)
        margins = np.maximum(0, scores - scores[range(6), y][:, None] + 1)
        margins[range(6), y] = 0
        mask = (margins > 0).astype(float)
        mask[range(6), y] = -mask.sum(axis=1)
        return margins.sum() / 6 + 0.5 * reg * np.sum(W * W), X.T.dot(mask) / 6 + reg * W

    return loss, drawn(3, W=(4, 3))


def two_layer_net():
    """One hidden layer of ReLUs, flat biases, gradients in a dictionary under the parameters' own names."""
    X, y, reg = drawn(4, X=(5, 4))["X"], np.array([0, 1, 2, 2, 1]), 0.1

    def loss(params):
        W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
        hidden = np.maximum(0, X.dot(W1) + b1)
        scores = hidden.dot(W2) + b2
        e = np.exp(scores - np.max(scores, axis=1, keepdims=True))
        probs = e / np.sum(e, axis=1, keepdims=True)
        value = -np.sum(np.log(probs[range(5), y])) / 5 + reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
        grads = {}
        probs[range(5), y] -= 1
        probs /= 5
        grads["W2"] = hidden.T.dot(probs) + 2 * reg * W2
        grads["b2"] = np.sum(probs, axis=0)
        dhidden = probs.dot(W2.T)
        dhidden[hidden == 0] = 0
        grads["W1"] = X.T.dot(dhidden) + 2 * reg * W1
        grads["b1"] = np.sum(dhidden, axis=0)
        return value, grads

    return loss, drawn(5, W1=(4, 6), b1=6, W2=(6, 3), b2=3)


def batch_norm(is_compact=False):
    """A layer alone, under a random upstream gradient; in small steps, and in one line."""
    x, dout = drawn(6, x=(5, 4), dout=(5, 4)).values()

    def loss(x, gamma, beta):
        mu, var = x.mean(axis=0), x.var(axis=0)
        std = np.sqrt(var + 1e-5)
        xhat = (x - mu) / std
        dxhat = dout * gamma
        if is_compact:
            dx = (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0)) / std
        else:
            dvar = np.sum(dxhat * (x - mu), axis=0) * -0.5 * std**-3
            dmu = -np.sum(dxhat / std, axis=0) - 2 * dvar * np.mean(x - mu, axis=0)
            dx = dxhat / std + dvar * 2 * (x - mu) / 5 + dmu / 5
        out = gamma * xhat + beta
        return np.sum(out * dout), (dx, np.sum(dout * xhat, axis=0), np.sum(dout, axis=0))

    return loss, {"x": x, **drawn(7, gamma=4, beta=4)}


def batch_norm_in_one_line():
    return batch_norm(is_compact=True)


def layer_norm():
    x, dout = drawn(8, x=(4, 6), dout=(4, 6)).values()

    def loss(p):
        xhat = (p["x"] - p["x"].mean(1, keepdims=True)) / np.sqrt(p["x"].var(1, keepdims=True) + 1e-5)
        g = dout * p["gamma"]
        dx = g - g.mean(1, keepdims=True) - xhat * (g * xhat).mean(1, keepdims=True)
        dx /= np.sqrt(p["x"].var(1, keepdims=True) + 1e-5)
        value = np.sum((p["gamma"] * xhat + p["beta"]) * dout)
        return value, {"dx": dx, "dgamma": (dout * xhat).sum(0), "dbeta": dout.sum(0)}

    return loss, {"x": x, **drawn(9, gamma=(1, 6), beta=(1, 6))}


def dropout():
    """With the seed inside, so that the mask is the same in each call."""
    x, dout, p = *drawn(10, x=(6, 5), dout=(6, 5)).values(), 0.6

    def loss(x):
        np.random.seed(3)  # noqa: NPY002
        mask = (np.random.rand(*x.shape) < p) / p  # noqa: NPY002
        return np.sum(x * mask * dout), dout * mask

    return loss, {"x": x}


def recurrent():
    """Three steps of a plain recurrent net over a batch; weights shared, gradients added up."""
    x, dh = drawn(11, x=(2, 3, 4), dh=(2, 3, 5)).values()

    def loss(h0, Wx, Wh, b):
        h, hs = h0, []
        for t in range(3):
            h = np.tanh(x[:, t] @ Wx + h @ Wh + b)
            hs.append(h)
        dWx, dWh, db, dprev = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b), np.zeros_like(h0)
        for t in reversed(range(3)):
            da = (dh[:, t] + dprev) * (1 - hs[t] ** 2)
            dWx += x[:, t].T @ da
            dWh += (hs[t - 1] if t else h0).T @ da
            db += da.sum(axis=0)
            dprev = da @ Wh.T
        return np.sum(np.stack(hs, axis=1) * dh), [dprev, dWx, dWh, db]

    return loss, drawn(12, h0=(2, 5), Wx=(4, 5), Wh=(5, 5), b=5)


def characters():
    """A recurrent net over characters as columns, with its cross-entropy added up."""
    inputs, targets, size = [0, 2, 1, 3], [2, 1, 3, 0], 4

    def loss(p):
        xs, hs, ps, value = {}, {-1: np.zeros((5, 1))}, {}, 0
        for t in range(len(inputs)):
            xs[t] = np.zeros((size, 1))
            xs[t][inputs[t]] = 1
            hs[t] = np.tanh(np.dot(p["Wxh"], xs[t]) + np.dot(p["Whh"], hs[t - 1]) + p["bh"])
            y = np.dot(p["Why"], hs[t]) + p["by"]
            ps[t] = np.exp(y) / np.sum(np.exp(y))
            value += -np.log(ps[t][targets[t], 0])
        grads = {f"d{name}": np.zeros_like(array) for name, array in p.items()}
        dhnext = np.zeros((5, 1))
        for t in reversed(range(len(inputs))):
            dy = np.copy(ps[t])
            dy[targets[t]] -= 1
            grads["dWhy"] += np.dot(dy, hs[t].T)
            grads["dby"] += dy
            dhraw = (1 - hs[t] * hs[t]) * (np.dot(p["Why"].T, dy) + dhnext)
            grads["dbh"] += dhraw
            grads["dWxh"] += np.dot(dhraw, xs[t].T)
            grads["dWhh"] += np.dot(dhraw, hs[t - 1].T)
            dhnext = np.dot(p["Whh"].T, dhraw)
        return value, grads

    return loss, drawn(13, Wxh=(5, size), Whh=(5, 5), Why=(size, 5), bh=(5, 1), by=(size, 1))


def logistic_regression():
    """One unit, samples in columns, a bias that is one number."""
    X, Y = drawn(14, X=(3, 7))["X"], np.array([[0, 1, 1, 0, 1, 0, 1]])

    def loss(w, b):
        A = 1 / (1 + np.exp(-(np.dot(w.T, X) + b)))
        cost = -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))
        return cost, {"dw": np.dot(X, (A - Y).T) / 7, "db": np.sum(A - Y) / 7}

    return loss, {**drawn(15, w=(3, 1)), "b": 0.3}


def deep_with_penalty():
    """Three layers, samples in columns, 1/m in the lines of dW, and lambd / (2 m) times the squares."""
    X, Y, m, lambd = drawn(16, X=(4, 6))["X"], np.array([[0, 1, 1, 0, 1, 0]]), 6, 0.7

    def loss(parameters):
        W, b = ([parameters[f"{letter}{k}"] for k in (1, 2, 3)] for letter in "Wb")
        A1 = np.maximum(0, W[0] @ X + b[0])
        A2 = np.maximum(0, W[1] @ A1 + b[1])
        A3 = 1 / (1 + np.exp(-(W[2] @ A2 + b[2])))
        cost = -(np.log(A3) @ Y.T + np.log(1 - A3) @ (1 - Y).T) / m + lambd / (2 * m) * sum(np.sum(w**2) for w in W)
        dZ3 = A3 - Y
        dZ2 = (W[2].T @ dZ3) * (A2 > 0)
        dZ1 = (W[1].T @ dZ2) * (A1 > 0)
        grads = {"dA2": W[2].T @ dZ3}
        for k, dZ, A in ((3, dZ3, A2), (2, dZ2, A1), (1, dZ1, X)):
            grads[f"dW{k}"] = 1 / m * dZ @ A.T + lambd / m * W[k - 1]
            grads[f"db{k}"] = 1 / m * np.sum(dZ, axis=1, keepdims=True)
        return cost, grads

    return loss, drawn(17, W1=(5, 4), b1=(5, 1), W2=(3, 5), b2=(3, 1), W3=(1, 3), b3=(1, 1))


def quadratic_cost():
    """Sigmoids, one sample after the other as a column, and gradients added up over them."""
    data = [(x.reshape(3, 1), y.reshape(2, 1)) for x, y in zip(*drawn(18, x=(4, 3), y=(4, 2)).values(), strict=True)]

    def sigmoid(z):
        return 1.0 / (1.0 + np.exp(-z))

    def loss(weights1, biases1, weights2, biases2):
        cost, sums = 0.0, [0, 0, 0, 0]
        for x, y in data:
            z1 = weights1 @ x + biases1
            a1 = sigmoid(z1)
            a2 = sigmoid(weights2 @ a1 + biases2)
            cost += 0.5 * np.linalg.norm(a2 - y) ** 2
            delta2 = (a2 - y) * a2 * (1 - a2)
            delta1 = (weights2.T @ delta2) * sigmoid(z1) * (1 - sigmoid(z1))
            for at, part in enumerate((delta1 @ x.T, delta1, delta2 @ a1.T, delta2)):
                sums[at] = sums[at] + part
        return cost, sums

    return loss, drawn(19, weights1=(4, 3), biases1=(4, 1), weights2=(2, 4), biases2=(2, 1))


def embedding_and_norm():
    """A table of vectors, a hidden layer with batch norm, tanh, and a cross-entropy."""
    Xb, Yb, n = np.array([[0, 1], [2, 0], [1, 1], [2, 2]]), np.array([1, 0, 2, 1]), 4

    def loss(C, W1, bngain, bnbias, W2, b2):
        emb = C[Xb].reshape(n, -1)
        hprebn = emb @ W1
        bndiff = hprebn - hprebn.mean(0, keepdims=True)
        bnvar_inv = (bndiff**2).sum(0, keepdims=True) / (n - 1)
        bnvar_inv = (bnvar_inv + 1e-5) ** -0.5
        bnraw = bndiff * bnvar_inv
        h = np.tanh(bngain * bnraw + bnbias)
        logits = h @ W2 + b2
        counts = np.exp(logits - logits.max(1, keepdims=True))
        probs = counts / counts.sum(1, keepdims=True)
        dlogits = probs.copy()
        dlogits[range(n), Yb] -= 1
        dlogits /= n
        dh = dlogits @ W2.T
        dhpreact = (1.0 - h**2) * dh
        dbnraw = bngain * dhpreact
        dhprebn = dbnraw * n - dbnraw.sum(0) - n / (n - 1) * bnraw * (dbnraw * bnraw).sum(0)
        dhprebn *= bnvar_inv / n
        demb = (dhprebn @ W1.T).reshape(n, 2, -1)
        dC = np.zeros_like(C)
        np.add.at(dC, Xb, demb)
        grads = [dC, emb.T @ dhprebn, (bnraw * dhpreact).sum(0, keepdims=True), dhpreact.sum(0, keepdims=True)]
        return -np.log(probs[range(n), Yb]).mean(), [*grads, h.T @ dlogits, dlogits.sum(0)]

    return loss, drawn(20, C=(3, 2), W1=(4, 5), bngain=(1, 5), bnbias=(1, 5), W2=(5, 3), b2=3)


def dense_layers():
    """Layers as objects that keep what they need; weights and biases (1, n), clipped probabilities."""
    X, y = drawn(21, X=(6, 2))["X"], np.array([0, 1, 2, 0, 1, 2])

    class Dense:
        def __init__(self, weights, biases):
            self.weights, self.biases = weights, biases

        def forward(self, inputs):
            self.inputs, self.output = inputs, inputs @ self.weights + self.biases
            return self.output

        def backward(self, dvalues):
            self.dweights, self.dbiases = self.inputs.T @ dvalues, np.sum(dvalues, axis=0, keepdims=True)
            return dvalues @ self.weights.T

    def loss(p):
        first, second = Dense(p["w1"], p["b1"]), Dense(p["w2"], p["b2"])
        hidden = np.maximum(0, first.forward(X))
        scores = second.forward(hidden)
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        out = e / e.sum(axis=1, keepdims=True)
        dinputs = out.copy()
        dinputs[range(6), y] -= 1
        dhidden = second.backward(dinputs / 6)
        dhidden[first.output <= 0] = 0
        first.backward(dhidden)
        value = np.mean(-np.log(np.clip(out[range(6), y], 1e-7, 1 - 1e-7)))
        return value, (first.dweights, first.dbiases, second.dweights, second.dbiases)

    return loss, drawn(22, w1=(2, 5), b1=(1, 5), w2=(5, 3), b2=(1, 3))


def columns_and_weights_as_ours():
    """Samples in columns, W with a row for each input: Z = W.T A + W0."""
    X, Y = drawn(23, X=(3, 5), Y=(2, 5)).values()

    def loss(W1, W01, W2, W02):
        A1 = np.tanh(W1.T @ X + W01)
        Z2 = W2.T @ A1 + W02
        dZ2 = 2 * (Z2 - Y) / 5
        dZ1 = (W2 @ dZ2) * (1 - A1**2)
        grads = [X @ dZ1.T, dZ1.sum(1, keepdims=True), A1 @ dZ2.T, dZ2.sum(1, keepdims=True)]
        return np.sum((Z2 - Y) ** 2) / 5, grads

    return loss, drawn(24, W1=(3, 4), W01=(4, 1), W2=(4, 2), W02=(2, 1))


def convolution():
    """A convolution in loops, with padding, under a random upstream gradient."""
    x, dout = drawn(25, x=(1, 2, 3, 3), dout=(1, 2, 3, 3)).values()

    def loss(x, w, b):
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        out, dw, dpadded = np.zeros_like(dout), np.zeros_like(w), np.zeros_like(padded)
        for n, f, i, j in np.ndindex(dout.shape):
            out[n, f, i, j] = np.sum(padded[n, :, i : i + 3, j : j + 3] * w[f]) + b[f]
            dw[f] += padded[n, :, i : i + 3, j : j + 3] * dout[n, f, i, j]
            dpadded[n, :, i : i + 3, j : j + 3] += w[f] * dout[n, f, i, j]
        return np.sum(out * dout), {"dx": dpadded[:, :, 1:-1, 1:-1], "dw": dw, "db": dout.sum(axis=(0, 2, 3))}

    return loss, {"x": x, **drawn(26, w=(2, 2, 3, 3), b=2)}


def line_through_points():
    """The slope and the intercept of a line, as plain numbers."""
    x, y = drawn(27, x=8, y=8).values()

    def loss(w, b):
        error = w * x + b - y
        return np.mean(error**2), {"w": 2 * np.mean(error * x), "b": 2 * np.mean(error)}

    return loss, {"w": 0.5, "b": -1.0}


def attention():
    X, dout = drawn(28, X=(4, 6), dout=(4, 5)).values()

    def loss(Wq, Wk, Wv):
        Q, K, V = X @ Wq, X @ Wk, X @ Wv
        S = Q @ K.T / np.sqrt(5)
        A = np.exp(S - S.max(axis=1, keepdims=True))
        A /= A.sum(axis=1, keepdims=True)
        dA, dV = dout @ V.T, A.T @ dout
        dS = A * (dA - (dA * A).sum(axis=1, keepdims=True)) / np.sqrt(5)
        return np.sum(A @ V * dout), {"grad_Wq": X.T @ (dS @ K), "grad_Wk": X.T @ (dS.T @ Q), "grad_Wv": X.T @ dV}

    return loss, drawn(29, Wq=(6, 5), Wk=(6, 5), Wv=(6, 5))


COURSES = (
    softmax_classifier, support_vectors, two_layer_net, batch_norm, batch_norm_in_one_line, layer_norm, dropout,
    recurrent, characters, logistic_regression, deep_with_penalty, quadratic_cost, embedding_and_norm, dense_layers,
    columns_and_weights_as_ours, convolution, line_through_points, attention,
)  # fmt: skip
