"""More homework as courses set it: layers alone, steps of recurrent nets, and networks in other people's names."""

import numpy as np
from course_homework import COURSES, drawn


def affine_layer():
    """Each sample is made one row, whatever its shape."""
    x, dout = drawn(30, x=(4, 2, 3), dout=(4, 5)).values()

    def loss(x, w, b):
        rows = x.reshape(x.shape[0], -1)
        out = rows.dot(w) + b
        dx = dout.dot(w.T).reshape(x.shape)
        dw = rows.T.dot(dout)
        db = np.sum(dout, axis=0)
        return np.sum(out * dout), (dx, dw, db)

    return loss, {"x": x, **drawn(31, w=(6, 5), b=5)}


def relu_layer():
    x, dout = drawn(32, x=(5, 7), dout=(5, 7)).values()

    def loss(x):
        dx = dout * (x > 0)
        return np.sum(np.maximum(0, x) * dout), dx

    return loss, {"x": x}


def softmax_layer():
    y, N = np.array([0, 2, 1, 1, 0]), 5

    def loss(x):
        shifted = x - np.max(x, axis=1, keepdims=True)
        probs = np.exp(shifted) / np.sum(np.exp(shifted), axis=1, keepdims=True)
        dx = probs.copy()
        dx[np.arange(N), y] -= 1
        dx /= N
        return -np.sum(np.log(probs[np.arange(N), y])) / N, dx

    return loss, drawn(33, x=(5, 3))


def hinge_layer():
    y, N = np.array([0, 2, 1, 1, 0, 2]), 6

    def loss(x):
        margins = np.maximum(0, x - x[np.arange(N), y][:, None] + 1.0)
        margins[np.arange(N), y] = 0
        num_pos = np.sum(margins > 0, axis=1)
        dx = np.zeros_like(x)
        dx[margins > 0] = 1
        dx[np.arange(N), y] -= num_pos
        dx /= N
        return np.sum(margins) / N, dx

    return loss, drawn(34, x=(6, 4))


def recurrent_step():
    x, dnext_h = drawn(35, x=(4, 3), dnext_h=(4, 5)).values()

    def loss(x, prev_h, Wx, Wh, b):
        next_h = np.tanh(x.dot(Wx) + prev_h.dot(Wh) + b)
        dtanh = dnext_h * (1 - next_h**2)
        dx = dtanh.dot(Wx.T)
        dprev_h = dtanh.dot(Wh.T)
        dWx = x.T.dot(dtanh)
        dWh = prev_h.T.dot(dtanh)
        db = np.sum(dtanh, axis=0)
        return np.sum(next_h * dnext_h), {"dx": dx, "dprev_h": dprev_h, "dWx": dWx, "dWh": dWh, "db": db}

    return loss, {"x": x, **drawn(36, prev_h=(4, 5), Wx=(3, 5), Wh=(5, 5), b=5)}


def long_short_term_step():
    """The gates side by side in one matrix of sums, with gradients for both that it hands on."""
    x, prev_c, dh, dc = drawn(37, x=(3, 4), prev_c=(3, 5), dh=(3, 5), dc=(3, 5)).values()

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def loss(prev_h, prev_c, Wx, Wh, b):
        a = x @ Wx + prev_h @ Wh + b
        i, f, o, g = sigmoid(a[:, :5]), sigmoid(a[:, 5:10]), sigmoid(a[:, 10:15]), np.tanh(a[:, 15:])
        next_c = f * prev_c + i * g
        tanh_c = np.tanh(next_c)
        next_h = o * tanh_c
        dnext_c = dc + dh * o * (1 - tanh_c**2)
        dai = dnext_c * g * i * (1 - i)
        daf = dnext_c * prev_c * f * (1 - f)
        dao = dh * tanh_c * o * (1 - o)
        dag = dnext_c * i * (1 - g**2)
        da = np.hstack([dai, daf, dao, dag])
        grads = [da @ Wh.T, dnext_c * f, x.T @ da, prev_h.T @ da, da.sum(axis=0)]
        return np.sum(next_h * dh) + np.sum(next_c * dc), grads

    return loss, {**drawn(38, prev_h=(3, 5)), "prev_c": prev_c, **drawn(39, Wx=(4, 20), Wh=(5, 20), b=20)}


def word_table():
    words, dout = np.array([[0, 3, 1], [2, 0, 0]]), drawn(40, dout=(2, 3, 4))["dout"]

    def loss(W):
        dW = np.zeros_like(W)
        np.add.at(dW, words, dout)
        return np.sum(W[words] * dout), dW

    return loss, drawn(41, W=(5, 4))


def max_pooling():
    x, dout = drawn(42, x=(2, 4, 6), dout=(2, 2, 3)).values()

    def loss(x):
        out, dx = np.zeros_like(dout), np.zeros_like(x)
        for n, i, j in np.ndindex(dout.shape):
            window = x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
            out[n, i, j] = np.max(window)
            dx[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] += (window == np.max(window)) * dout[n, i, j]
        return np.sum(out * dout), dx

    return loss, {"x": x}


def planar_data():
    """Samples in columns, tanh and one sigmoid, 1/m in the lines of dW and db."""
    X, Y, m = drawn(43, X=(2, 6))["X"], np.array([[0, 1, 1, 0, 1, 0]]), 6

    def loss(parameters):
        W1, b1, W2, b2 = parameters["W1"], parameters["b1"], parameters["W2"], parameters["b2"]
        A1 = np.tanh(np.dot(W1, X) + b1)
        A2 = 1 / (1 + np.exp(-(np.dot(W2, A1) + b2)))
        cost = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m
        dZ2 = A2 - Y
        dW2 = 1 / m * np.dot(dZ2, A1.T)
        db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)
        dZ1 = np.dot(W2.T, dZ2) * (1 - np.power(A1, 2))
        dW1 = 1 / m * np.dot(dZ1, X.T)
        db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)
        return cost, {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}

    return loss, drawn(44, W1=(4, 2), b1=(4, 1), W2=(1, 4), b2=(1, 1))


def dropout_network():
    """A mask of the hidden units, divided by the chance to be kept."""
    X, Y, m, keep_prob = drawn(45, X=(3, 5))["X"], np.array([[0, 1, 1, 0, 1]]), 5, 0.6
    D1 = drawn(46, D1=(4, 5))["D1"] < 0.3

    def loss(parameters):
        W1, b1, W2, b2 = parameters["W1"], parameters["b1"], parameters["W2"], parameters["b2"]
        Z1 = np.dot(W1, X) + b1
        A1 = np.maximum(0, Z1) * D1 / keep_prob
        A2 = 1 / (1 + np.exp(-(np.dot(W2, A1) + b2)))
        cost = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m
        dZ2 = A2 - Y
        dA1 = np.dot(W2.T, dZ2)
        dA1 = dA1 * D1
        dA1 = dA1 / keep_prob
        dZ1 = dA1 * (Z1 > 0)
        grads = {"dW2": np.dot(dZ2, A1.T) / m, "db2": np.sum(dZ2, axis=1, keepdims=True) / m}
        grads |= {"dW1": np.dot(dZ1, X.T) / m, "db1": np.sum(dZ1, axis=1, keepdims=True) / m}
        return cost, grads

    return loss, drawn(47, W1=(4, 3), b1=(4, 1), W2=(1, 4), b2=(1, 1))


def one_product():
    x = 3.0

    def loss(theta):
        dtheta = x
        return theta * x, {"dtheta": dtheta}

    return loss, {"theta": 4.0}


def cross_entropy_cost():
    """One sample after the other as a column, with the cost behind a sigmoid, and lmbda / n times half the squares."""
    data = list(
        zip(drawn(48, x=(4, 3, 1))["x"], np.array([[[1], [0]], [[0], [1]], [[1], [1]], [[0], [0]]]), strict=True)
    )
    n, lmbda = 4, 0.5

    def sigmoid(z):
        return 1.0 / (1.0 + np.exp(-z))

    def loss(w1, b1, w2, b2):
        cost, nabla = 0.5 * lmbda / n * (np.sum(w1**2) + np.sum(w2**2)), [0, 0, 0, 0]
        for x, y in data:
            a1 = sigmoid(np.dot(w1, x) + b1)
            a2 = sigmoid(np.dot(w2, a1) + b2)
            cost += np.sum(-y * np.log(a2) - (1 - y) * np.log(1 - a2)) / n
            delta = a2 - y
            back = np.dot(w2.transpose(), delta) * a1 * (1 - a1)
            for at, part in enumerate((np.dot(back, x.transpose()), back, np.dot(delta, a1.transpose()), delta)):
                nabla[at] = nabla[at] + part / n
        return cost, [nabla[0] + lmbda / n * w1, nabla[1], nabla[2] + lmbda / n * w2, nabla[3]]

    return loss, drawn(49, w1=(4, 3), b1=(4, 1), w2=(2, 4), b2=(2, 1))


def bigrams():
    """Counts of pairs as a single layer, with a penalty that is a mean."""
    xs, ys, num = np.array([0, 1, 2, 2, 0, 3, 1]), np.array([1, 2, 2, 0, 3, 0, 0]), 7
    xenc = np.eye(4)[xs]

    def loss(W):
        logits = xenc @ W
        counts = np.exp(logits)
        probs = counts / counts.sum(1, keepdims=True)
        dlogits = probs.copy()
        dlogits[np.arange(num), ys] -= 1
        dlogits /= num
        dW = xenc.T @ dlogits + 0.02 * W / W.size
        return -np.log(probs[np.arange(num), ys]).mean() + 0.01 * (W**2).mean(), dW

    return loss, drawn(50, W=(4, 4))


def single_neuron():
    """Two inputs, two weights and a bias, each a number."""
    x1, x2 = 2.0, 0.5

    def loss(w1, w2, b):
        o = np.tanh(x1 * w1 + x2 * w2 + b)
        dn = 1 - o**2
        return o, {"w1": x1 * dn, "w2": x2 * dn, "b": dn}

    return loss, {"w1": -0.3, "w2": 1.0, "b": 0.4}


def logits_by_hand():
    """A cross-entropy in small steps, each with its gradient."""
    Yb, n = np.array([1, 0, 2, 1]), 4

    def loss(logits):
        logit_maxes = logits.max(1, keepdims=True)
        norm_logits = logits - logit_maxes
        counts = np.exp(norm_logits)
        counts_sum = counts.sum(1, keepdims=True)
        counts_sum_inv = counts_sum**-1
        probs = counts * counts_sum_inv
        logprobs = np.log(probs)
        dlogprobs = np.zeros_like(logprobs)
        dlogprobs[range(n), Yb] = -1.0 / n
        dprobs = (1.0 / probs) * dlogprobs
        dcounts_sum_inv = (counts * dprobs).sum(1, keepdims=True)
        dcounts = counts_sum_inv * dprobs
        dcounts_sum = (-(counts_sum**-2)) * dcounts_sum_inv
        dcounts += np.ones_like(counts) * dcounts_sum
        dlogits = counts * dcounts
        return -logprobs[range(n), Yb].mean(), dlogits

    return loss, drawn(51, logits=(4, 3))


def binary_outputs():
    """A sigmoid at the end, its loss a mean over outputs and then over samples."""
    X, y_true = drawn(52, X=(6, 3))["X"], np.array([[0, 1], [1, 1], [1, 0], [0, 0], [1, 0], [0, 1]])

    def loss(weights, biases):
        output = 1 / (1 + np.exp(-(X @ weights + biases)))
        sample_losses = -(y_true * np.log(output) + (1 - y_true) * np.log(1 - output))
        dvalues = -(y_true / output - (1 - y_true) / (1 - output)) / 2
        dvalues = dvalues / 6
        dinputs = dvalues * (1 - output) * output
        return np.mean(np.mean(sample_losses, axis=-1)), (X.T @ dinputs, np.sum(dinputs, axis=0, keepdims=True))

    return loss, drawn(53, weights=(3, 2), biases=(1, 2))


def both_penalties():
    """Absolute values and squares of the weights, and of the biases too."""
    X, y = drawn(54, X=(5, 3), y=(5, 2)).values()
    l1, l2 = 0.03, 0.05

    def loss(weights, biases):
        output = X @ weights + biases
        regularization = sum(l1 * np.sum(np.abs(p)) + l2 * np.sum(p * p) for p in (weights, biases))
        dvalues = 2 * (output - y) / 10
        dL1 = np.ones_like(weights)
        dL1[weights < 0] = -1
        dweights = X.T @ dvalues + l1 * dL1 + 2 * l2 * weights
        dbiases = np.sum(dvalues, axis=0, keepdims=True) + l1 * np.sign(biases) + 2 * l2 * biases
        return np.mean((y - output) ** 2) + regularization, (dweights, dbiases)

    return loss, drawn(55, weights=(3, 2), biases=(1, 2))


def modules_in_columns():
    """W with a row for each input, a softmax over columns, and a loss that is a sum."""
    X, Y = drawn(56, X=(3, 5))["X"], np.eye(4)[:, [0, 3, 1, 1, 2]]

    def loss(W1, W01, W2, W02):
        A1 = np.maximum(W1.T @ X + W01, 0)
        Z2 = W2.T @ A1 + W02
        e = np.exp(Z2 - Z2.max(axis=0))
        Ypred = e / np.sum(e, axis=0)
        dLdZ2 = Ypred - Y
        dLdW2 = A1 @ dLdZ2.T
        dLdA1 = W2 @ dLdZ2
        dLdZ1 = dLdA1 * (A1 != 0)
        dLdW1 = X @ dLdZ1.T
        return -np.sum(Y * np.log(Ypred)), [
            dLdW1, np.sum(dLdZ1, axis=1, keepdims=True), dLdW2, np.sum(dLdZ2, axis=1, keepdims=True),
        ]  # fmt: skip

    return loss, drawn(57, W1=(3, 6), W01=(6, 1), W2=(6, 4), W02=(4, 1))


def deep_columns():
    """Weights and biases in lists, f before an activation and h after it, and the least squares loss."""
    net_input, y = drawn(58, net_input=(2, 4), y=(1, 4)).values()

    def loss(weights0, biases0, weights1, biases1, weights2, biases2):
        f0 = biases0 + weights0 @ net_input
        h1 = np.maximum(f0, 0)
        f1 = biases1 + weights1 @ h1
        h2 = np.maximum(f1, 0)
        f2 = biases2 + weights2 @ h2
        df2 = 2 * (f2 - y)
        df1 = (f1 > 0) * (weights2.T @ df2)
        df0 = (f0 > 0) * (weights1.T @ df1)
        grads = []
        for df, h in ((df0, net_input), (df1, h1), (df2, h2)):
            grads += [df @ h.T, np.sum(df, axis=1, keepdims=True)]
        return np.sum((f2 - y) ** 2), grads

    return loss, drawn(59, weights0=(6, 2), biases0=(6, 1), weights1=(5, 6), biases1=(5, 1), weights2=(1, 5), biases2=1)


def flat_targets():
    """Targets as a flat row, and a mean squared error of what is squeezed."""
    x, targ = drawn(60, x=(6, 4), targ=6).values()

    def loss(w1, b1, w2, b2):
        l1 = x @ w1 + b1
        l2 = np.maximum(l1, 0.0)
        out = l2 @ w2 + b2
        diff = out[:, 0] - targ
        outg = 2.0 * diff[:, None] / x.shape[0]
        l2g = outg @ w2.T
        l1g = (l1 > 0) * l2g
        return np.mean(diff**2), [x.T @ l1g, l1g.sum(0), l2.T @ outg, outg.sum(0)]

    return loss, drawn(61, w1=(4, 5), b1=5, w2=(5, 1), b2=1)


def negative_samples():
    """Word vectors: one word in the middle, one outside, and some that are not there."""
    outside, negative = 2, [0, 4, 0]

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def loss(v, U):
        gradV = (sigmoid(U[outside] @ v) - 1) * U[outside]
        gradU = np.zeros_like(U)
        gradU[outside] += (sigmoid(U[outside] @ v) - 1) * v
        value = -np.log(sigmoid(U[outside] @ v))
        for k in negative:
            value -= np.log(sigmoid(-U[k] @ v))
            gradV += sigmoid(U[k] @ v) * U[k]
            gradU[k] += sigmoid(U[k] @ v) * v
        return value, (gradV, gradU)

    return loss, drawn(62, v=3, U=(5, 3))


MORE = (
    affine_layer, relu_layer, softmax_layer, hinge_layer, recurrent_step, long_short_term_step, word_table, max_pooling,
    planar_data, dropout_network, one_product, cross_entropy_cost, bigrams, single_neuron, logits_by_hand,
    binary_outputs, both_penalties, modules_in_columns, deep_columns, flat_targets, negative_samples,
)  # fmt: skip
ALL = COURSES + MORE
