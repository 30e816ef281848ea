"""Scripts as people write them around their lines: data, classes, loops, schedules, and the order of what is called."""

from itertools import pairwise

import numpy as np
import pytest

from backprop_lab import (
    L2,
    Adam,
    BinaryCrossEntropy,
    Dropout,
    HalfSquaredError,
    Linear,
    MeanSquaredError,
    Momentum,
    Network,
    Problem,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    check_lines,
    program,
    random_problem,
    trace,
    worked_example,
)

RELU = random_problem(0, 5, 3, 4, 2, lr=0.1)
MEAN = random_problem(0, 5, 3, 4, 2, lr=0.1, loss=MeanSquaredError())
CLASSES = random_problem(0, 5, 3, 4, 3, lr=0.1, loss=SoftmaxCrossEntropy())
SQUARE = random_problem(0, 5, 3, 3, 2, lr=0.1)
DECAYED = random_problem(0, 5, 3, 4, 2, lr=0.1, penalty=L2(0.05))
drawn = np.random.default_rng(0).standard_normal
LINE = Problem(Network([Linear(drawn((3, 1)), drawn((1, 1)))]), MeanSquaredError(), drawn((6, 3)), drawn((6, 1)), 0.1)
LOGIT = Problem(
    Network([Linear(drawn((3, 1)), drawn((1, 1))), Sigmoid()]),
    BinaryCrossEntropy(),
    drawn((6, 3)),
    (drawn((6, 1)) > 0) * 1.0,
    0.1,
)
TWO = Problem(
    Network([Linear(drawn((3, 4)), drawn((1, 4))), Sigmoid(), Linear(drawn((4, 1)), drawn((1, 1))), Sigmoid()]),
    BinaryCrossEntropy(),
    drawn((5, 3)),
    (drawn((5, 1)) > 0) * 1.0,
    0.1,
)
HALF = TWO.evolve(loss=HalfSquaredError())
MOVING = trace(random_problem(0, 5, 3, 4, 2, lr=0.03, optimizer=Momentum(0.9))).next_problem()
SECOND = trace(random_problem(0, 5, 3, 4, 2, lr=0.1, optimizer=Adam())).next_problem()

FORWARD = "z1 = X @ W1 + b1\na1 = np.maximum(z1, 0)\nout = a1 @ W2 + b2\n"
BACKWARD = """dout = 2 * (out - y)
dW2 = a1.T @ dout
db2 = dout.sum(0)
dz1 = (dout @ W2.T) * (z1 > 0)
dW1 = X.T @ dz1
db1 = dz1.sum(0)
"""
UPDATE = "W1 -= lr * dW1\nb1 -= lr * db1\nW2 -= lr * dW2\nb2 -= lr * db2\n"
TURN = FORWARD + BACKWARD + UPDATE


def indented(text, by=4):
    return "".join(" " * by + line + "\n" for line in text.splitlines())


def in_a_loop(more="", before="", head="for epoch in range(1000):", turn=TURN):
    return f"{before}{head}\n{indented(turn)}{indented(more)}"


OF_A_BATCH = TURN.replace("X", "Xb").replace("- y)", "- yb)")
OF_A_TURN = "dW1 db1 dW2 db2 W1_new b1_new W2_new b2_new"
RIGHT = {  # what is right as it stands, its problem, and what is judged in it
    "a bias that begins at 0": (
        (
            "w, b = np.zeros((3, 1)), 0.0\ny_pred = X @ w + b\ndw = 2 / m * X.T @ (y_pred - y)\n"
            "db = 2 / m * np.sum(y_pred - y)\nw -= lr * dw\nb -= lr * db"
        ),
        LINE,
        "dW1 db1 W1_new b1_new",
    ),
    "None to begin with": (
        (
            "class A:\n    def __init__(self):\n        self.W1 = None\n        self.cache = None\n"
            "    def fit(self, X, y):\n        self.W1 -= lr * dW1"
        ),
        RELU,
        "W1_new",
    ),
    "the forward pass once more": (
        TURN + "def predict(X):\n    z1 = X @ W1 + b1\n    a1 = np.maximum(z1, 0)\n    out = a1 @ W2 + b2\n"
        "    return out > 0\nacc = np.mean(predict(X) == y)",
        RELU,
        OF_A_TURN,
    ),
    "deltas that count the input": (
        "delta3 = 2 * (y_pred - y)\ndW2 = H1.T @ delta3\ndelta2 = delta3 @ W2.T * (H1 > 0)\ndW1 = X.T @ delta2",
        RELU,
        "dy_pred dW2 dY1 dW1",
    ),
    "layers that count the input": (
        (
            "a1 = X\nz2 = a1 @ W1 + b1\na2 = np.maximum(z2, 0)\nz3 = a2 @ W2 + b2\ndelta3 = 2 * (z3 - y)\n"
            "dW2 = a2.T @ delta3\ndelta2 = delta3 @ W2.T * (z2 > 0)\ndW1 = a1.T @ delta2"
        ),
        RELU,
        "dy_pred dW2 dY1 dW1",
    ),
    "a penalty in the update": (
        "dW2 = H1.T @ dy_pred\nW2 -= lr * (dW2 + 0.1 * W2)\nb2 -= lr * dy_pred.sum(0)",
        DECAYED,
        "W2_new b2_new",
    ),
    "a penalty of another size by default": (
        (
            "class Net:\n    def loss(self, X, y=None, reg=0.0):\n"
            "        dW2 = H1.T @ dy_pred + 2 * reg * W2\n        return dW2"
        ),
        DECAYED,
        "dW2",
    ),
    "a penalty that is halved": ("dW2 = H1.T @ dy_pred + reg * W2\ndW1 = X.T @ dY1 + reg * W1", DECAYED, "dW2 dW1"),
    "a penalty by sample": ("dW2 = H1.T @ dy_pred + lambd / m * W2", DECAYED, "dW2"),
    "deltas alone that count the input": (
        (
            "z1 = X @ W1 + b1\na1 = np.maximum(z1, 0)\ndelta3 = 2 * (y_pred - y)\ndW2 = a1.T @ delta3\n"
            "delta2 = delta3 @ W2.T * (a1 > 0)\ndW1 = X.T @ delta2"
        ),
        RELU,
        "dy_pred dW2 dY1 dW1",
    ),
    "1/m in the update of an error without it": (
        (
            "delta2 = P - y\nnabla_W2 = H1.T @ delta2\ndelta1 = delta2 @ W2.T * (H1 > 0)\nnabla_W1 = X.T @ delta1\n"
            "W2 = W2 - (eta / m) * nabla_W2\nW1 = W1 - (eta / m) * nabla_W1"
        ),
        CLASSES,
        "dy_pred dY1 W2_new W1_new",
    ),
    "biases that are weights of number 0": (
        "d = 2 * (y_pred - y)\ngrad_v = H1.T @ d\ngrad_v0 = d.sum(axis=0)\nW2 -= lr * grad_v\nb2 -= lr * grad_v0",
        RELU,
        "dy_pred W2_new b2_new",
    ),
    "a mean in the update": (
        (
            "dW2 = H1.T @ (2 * (y_pred - y))\ndb2 = 2 * (y_pred - y).sum(0)\nW2 -= lr / y.size * dW2\n"
            "b2 -= lr / y.size * db2"
        ),
        MEAN,
        "W2_new b2_new",
    ),
    "functions in another order than they are called": (
        (
            f"def update():\n{indented(UPDATE)}def backward():\n{indented(BACKWARD)}def forward():\n{indented(FORWARD)}"
            "for e in range(9):\n    forward()\n    backward()\n    update()"
        ),
        RELU,
        OF_A_TURN,
    ),
    "targets made of the inputs": ("y = np.sin(3 * X[:, :2])\n" + TURN, RELU, OF_A_TURN),
    "inputs that are scaled": ("X = X / 255.\nX = (X - X.mean(axis=0)) / X.std(axis=0)\n" + TURN, RELU, OF_A_TURN),
    "targets of another kind": ("t = 2 * y - 1\ny = (t + 1) / 2\n" + TURN, RELU, OF_A_TURN),
    "what is predicted in the end": (
        FORWARD + "predictions = np.argmax(out, axis=1)\nacc = np.mean(predictions == y.argmax(axis=1))\n" + BACKWARD,
        RELU,
        "dW1 db1 dW2 db2",
    ),
    "numbers of other data": (
        "N, D_in, H, D_out = 64, 1000, 100, 10\nbatch_size = 32\nA2 = P\ndZ2 = (A2 - y) / batch_size\ndW2 = H1.T @ dZ2",
        CLASSES,
        "dy_pred dW2",
    ),
    "a little more in a division": (
        "dA2 = (-(y / (A2 + 1e-8)) + (1 - y) / (1 - A2 + 1e-8)) / m\ndZ2 = dA2 * A2 * (1 - A2)\ndW2 = A1.T @ dZ2",
        TWO,
        "dy_pred dW2",
    ),
    "a part of the data for training": (
        "X_train, X_test, y_train, y_test = train_test_split(X, y)\n"
        + TURN.replace("X", "X_train").replace("- y)", "- y_train)"),
        RELU,
        OF_A_TURN,
    ),
    "data that are cut": ("X_train, X_test = X[:80], X[80:]\ndW1 = X_train.T @ dY1", RELU, "dW1"),
    "a file of data": (
        "data = pd.read_csv('train.csv')\nX = data.drop('y', axis=1).values\ny = data['y'].values\n" + TURN,
        RELU,
        OF_A_TURN,
    ),
    "batches": (
        in_a_loop(
            head="for i in range(0, len(X), 32):",
            turn="Xb, yb = X[i:i+32], y[i:i+32]\n" + TURN.replace("X", "Xb").replace("- y)", "- yb)"),
        ),
        RELU,
        OF_A_TURN,
    ),
    "batches of an order": (
        in_a_loop(
            before="perm = np.random.permutation(len(X))\n",
            head="for i in range(0, len(X), 2):",
            turn="idx = perm[i:i + 2]\nXb, yb = X[idx], y[idx]\n" + OF_A_BATCH,
        ),
        RELU,
        OF_A_TURN,
    ),
    "batches of an order, at once": (
        in_a_loop(
            before="perm = np.random.permutation(len(X))\nX_all = X[perm]\n",
            head="for i in range(0, len(X), 2):",
            turn="Xb = X[perm[i:i + 2]]\nyb = y[perm[i:i + 2]]\nn = len(Xb)\n" + OF_A_BATCH,
        ),
        RELU,
        OF_A_TURN,
    ),
    "batches of what is shuffled under another name": (
        in_a_loop(
            turn="perm = np.random.permutation(len(X))\nX_shuffled, y_s = X[perm], y[perm]\n"
            + in_a_loop(
                head="for i in range(0, len(X), 2):", turn="Xb, yb = X_shuffled[i:i+2], y_s[i:i+2]\n" + OF_A_BATCH
            )
        ),
        RELU,
        OF_A_TURN,
    ),
    "a batch, after a look at all samples under the same names": (
        in_a_loop(turn=FORWARD + "i = np.random.choice(len(X), 2)\nXb, yb = X[i], y[i]\n" + OF_A_BATCH),
        RELU,
        OF_A_TURN,
    ),
    "batches of what is shuffled": (
        in_a_loop(
            turn="perm = np.random.permutation(len(X))\nX = X[perm]\ny = y[perm]\n"
            + in_a_loop(head="for i in range(0, len(X), 2):", turn="Xb, yb = X[i:i+2], y[i:i+2]\n" + OF_A_BATCH)
        ),
        RELU,
        OF_A_TURN,
    ),
    "a batch, and then the loss of all": (
        in_a_loop(
            "loss = np.sum((np.maximum(X @ W1 + b1, 0) @ W2 + b2 - y) ** 2)\nprint(loss)",
            turn="idx = np.random.choice(len(X), 2)\nXb, yb = X[idx], y[idx, :]\n" + OF_A_BATCH,
        ),
        RELU,
        OF_A_TURN,
    ),
    "batches that are drawn": (
        in_a_loop(
            turn="idx = np.random.choice(len(X), 5)\nX_batch = X[idx]\ny_batch = y[idx]\n"
            + TURN.replace("X", "X_batch").replace("- y)", "- y_batch)")
        ),
        RELU,
        OF_A_TURN,
    ),
    "an accuracy now and then": (
        in_a_loop("if epoch % 10 == 0:\n    acc = np.mean(out == y)\n    print(epoch, acc)"),
        RELU,
        OF_A_TURN,
    ),
    "costs that are kept now and then": (
        in_a_loop(
            "if epoch % 100 == 0:\n    costs.append(3)\n    if print_cost:\n        print(epoch)\n"
            "if epoch % 10 == 0:\n    predictions = get_predictions(out)\n    print(get_accuracy(predictions, y))",
            "def get_predictions(A2):\n    return np.argmax(A2, 0)\n"
            "def get_accuracy(predictions, Y):\n    return np.sum(predictions == Y) / Y.size\n",
        ),
        RELU,
        OF_A_TURN,
    ),
    "batches of a function": (
        in_a_loop(head="for xb, yb in batches(X, y, 32):", turn=TURN.replace("X", "xb").replace("- y)", "- yb)")),
        RELU,
        OF_A_TURN,
    ),
    "dictionaries of one letter": (
        "g = {'W1': X.T @ dY1, 'b1': dY1.sum(0)}\nfor k in p:\n    p[k] -= lr * g[k]",
        RELU,
        "dW1 db1 W1_new b1_new",
    ),
    "a rate that falls": (in_a_loop(turn="lr = 0.1 / (1 + 0.01 * epoch)\n" + TURN), RELU, OF_A_TURN),
    "a rate that falls once": (in_a_loop("if epoch == 50:\n    lr *= 0.1"), RELU, OF_A_TURN),
    "losses that are kept": (
        in_a_loop("loss_hist[epoch] = np.sum((out - y)**2)", "loss_hist = np.zeros(1000)\n"),
        RELU,
        OF_A_TURN,
    ),
    "the best so far": (
        in_a_loop("loss = np.sum((out - y)**2)\nif loss < best:\n    best = loss\nelse:\n    break", "best = np.inf\n"),
        RELU,
        OF_A_TURN,
    ),
    "a main part": (f"if __name__ == '__main__':\n{indented(in_a_loop())}", RELU, OF_A_TURN),
    "what does no harm": (
        "global W1\nif y is None:\n    raise ValueError('no y')\n"
        + TURN
        + "dW1.shape\ndel dW1\nax.plot(losses)\nhistory['loss'].append(3)\nhistory_of_W1.append(W1)\n"
        "plot_decision_boundary(lambda x: x)\n"
        "labels = [1 if p > 0 else 0 for p in out[:, 0]]",
        RELU,
        OF_A_TURN,
    ),
    "a class with methods": (
        (
            "class Net:\n    def __init__(self):\n        self.params = {}\n"
            "        self.params['W1'] = np.random.randn(3, 4)\n"
            f"        self.grads = {{'W1': None}}\n    def forward(self, X):\n{indented(FORWARD, 8)}"
            "        return out\n"
            f"    def backward(self):\n{indented(BACKWARD, 8)}    def step(self, lr):\n{indented(UPDATE, 8)}"
            "net = Net()\nfor e in range(9):\n    net.forward(X)\n    net.backward()\n    net.step(0.1)"
        ),
        RELU,
        OF_A_TURN,
    ),
    "attributes without numbers": (
        (
            "class Neuron:\n    def feedforward(self):\n"
            "        self.output = 1 / (1 + np.exp(-(X @ self.w + self.b)))\n"
            "    def backprop(self):\n        dw = X.T @ (self.output - y) / m\n        self.w -= lr * dw\n"
            "n = Neuron()\nfor e in range(9):\n    n.feedforward()\n    n.backprop()"
        ),
        LOGIT,
        "dW1 W1_new",
    ),
    "a function that returns a dictionary": (
        (
            "def propagate(w, b, X, Y):\n    A = 1 / (1 + np.exp(-(X @ w + b)))\n    dw = 1 / m * X.T @ (A - Y)\n"
            "    db = 1 / m * np.sum(A - Y)\n    grads = {'dw': dw, 'db': db}\n    return grads\n"
            "grads = propagate(w, b, X, Y)\nw = w - lr * grads['dw']"
        ),
        LOGIT,
        "dW1 db1 W1_new",
    ),
    "what a layer keeps": (
        (
            "def affine_backward(dout, cache):\n    x, w, b = cache\n"
            "    return dout.dot(w.T), x.T.dot(dout), np.sum(dout, axis=0)\ncache2 = (H1, W2, b2)\n"
            "dY2 = 2 * (y_pred - y)\ndH1, dW2, db2 = affine_backward(dY2, cache2)"
        ),
        RELU,
        "dy_pred dH1 dW2 db2",
    ),
    "memories before the lists": (
        (
            "ms = [np.zeros_like(p) for p in params]\nvs = [np.zeros_like(p) for p in params]\n"
            "params, grads = [W1, b1], [dW1, db1]\nfor i in range(2):\n    ms[i] = 0.9 * ms[i] + 0.1 * grads[i]\n"
            "    vs[i] = 0.999 * vs[i] + 0.001 * grads[i]**2\n"
            "    params[i] -= lr * (ms[i] / (1 - 0.9**t)) / (np.sqrt(vs[i] / (1 - 0.999**t)) + 1e-8)"
        ),
        SECOND,
        "mW1_new vW1_new W1_new mb1_new vb1_new b1_new",
    ),
    "a velocity with the rate in it": (
        "vW1 = 0.9 * vW1 - lr * dW1\nW1 += vW1\nv_b1 = 0.9 * v_b1 - lr * db1\nb1 = b1 + v_b1",
        MOVING,
        "vW1_new W1_new vb1_new b1_new",
    ),
    "a velocity with the rate and no sign in it": (
        "vW1 = 0.9 * vW1 + lr * dW1\nW1 -= vW1",
        MOVING,
        "vW1_new W1_new",
    ),
    "weights by what they join": (
        TURN.replace("W1", "Wh").replace("b1", "bh").replace("W2", "Wo").replace("b2", "bo"),
        RELU,
        OF_A_TURN,
    ),
    "first weights without a number": (TURN.replace("W1", "W").replace("b1", "b"), RELU, OF_A_TURN),
}


@pytest.mark.parametrize(("text", "problem", "judged"), RIGHT.values(), ids=RIGHT)
def test_a_right_script_is_right_as_it_stands(text, problem, judged):
    found = check_lines(text, problem)
    assert found.ok, found
    assert {each.of for each in found.lines} >= {*judged.split()}, found
    assert not found.missing or judged != OF_A_TURN


WRONG = {  # a script, its problem, the one line that is blamed, and a part of what is said
    "a sign after a factor": (
        "dA2 = -(y / A2 - (1 - y) / (1 - A2))\ndZ2 = dA2 * A2 * (A2 - 1)\ndW2 = A1.T @ dZ2 / m\ndb2 = dZ2.sum(0) / m",
        TWO,
        "dZ2 =",
        "minus what it should be",
    ),
    "another count after a factor": (
        (
            "dA2 = -(y / A2 - (1 - y) / (1 - A2))\ndZ2 = dA2 * A2 * (1 - A2) / m\ndW2 = A1.T @ dZ2 / m\n"
            "db2 = dZ2.sum(0) / m"
        ),
        TWO,
        "dZ2 =",
        "",
    ),
    "a forward line without a number": (
        FORWARD.replace("a1 @ W2", "(a1 + 1) @ W2") + BACKWARD,
        RELU,
        "out =",
        "",
    ),
    "probabilities along the other axis": (
        (
            "scores = H1 @ W2 + b2\nprobs = np.exp(scores) / np.exp(scores).sum(axis=0)\ndscores = (probs - y) / m\n"
            "dW2 = H1.T @ dscores"
        ),
        CLASSES,
        "probs =",
        "",
    ),
    "an update before the weights are used": (
        (
            "error = y - output\nd_output = error * output * (1 - output)\nW2 += H1.T @ d_output * lr\n"
            "d_hidden = (d_output @ W2.T) * H1 * (1 - H1)\nW1 += X.T @ d_hidden * lr"
        ),
        HALF,
        "d_hidden =",
        "",
    ),
    "a mask that asks for 0": ("dH1 = dy_pred @ W2.T\ndH1[dH1 == 0] = 0\ndW1 = X.T @ dH1", RELU, "dH1", ""),
    "kept in one order and taken in another": (
        (
            "def forward(X):\n    Z1 = X @ W1 + b1\n    A1 = np.maximum(0, Z1)\n    cache = (Z1, A1)\n"
            "    return cache\n"
            "def backward(cache):\n    A1, Z1 = cache\n    dW2 = A1.T @ dy_pred\n    return dW2"
        ),
        RELU,
        "A1 = Z1",
        "",
    ),
    "returned in one order and taken in another": (
        (
            "def backward():\n    dW2 = H1.T @ dy_pred\n    db2 = dy_pred.sum(0)\n    return db2, dW2\n"
            "dW2, db2 = backward()\nW2 -= lr * dW2"
        ),
        RELU,
        "dW2 = db2",
        "",
    ),
    "handed over in one order and taken in another": (
        (
            "def update(W1, W2, dW1, dW2):\n    W1 -= lr * dW1\n    W2 -= lr * dW2\n"
            "dW2 = H1.T @ dy_pred\ndW1 = X.T @ dY1\nupdate(W1, W2, dW2, dW1)"
        ),
        RELU,
        "dW1 = dW2",
        "",
    ),
    "handed over in another order, and returned": (
        (
            "def update(W1, W2, dW1, dW2):\n    W1 = W1 - lr * dW1\n    W2 = W2 - lr * dW2\n    return W1, W2\n"
            "dW2 = H1.T @ dy_pred\ndW1 = X.T @ dY1\nW1, W2 = update(W1, W2, dW2=dW1, dW1=dW2)"
        ),
        RELU,
        "dW2 = dW1",
        "",
    ),
    "one value handed over for another": (
        (
            "def backward(Z1, A1, A2):\n    dZ2 = 2 * (A2 - y)\n    dW2 = A1.T @ dZ2\n"
            "    dW1 = X.T @ (dZ2 @ W2.T * (Z1 > 0))\n    return dW1, dW2\ndW1, dW2 = backward(Z1, A2, A2)"
        ),
        RELU,
        "A1 = A2",
        "",
    ),
    "a velocity with the rate in it twice": (
        "vW1 = 0.9 * vW1 - lr * dW1\nW1 += lr * vW1",
        MOVING,
        "W1 +=",
        "",
    ),
    "a penalty without its 2": ("reg = 0.05\ndW2 = H1.T @ dy_pred + reg * W2", DECAYED, "dW2 =", "penalty"),
    "inputs that are written over": (
        "x = X\nx = np.maximum(x @ W1 + b1, 0)\nscores = x @ W2 + b2\ndW1 = x.T @ dY1",
        SQUARE,
        "dW1 =",
        "",
    ),
    "inputs that are written over by way of another": (
        "layer = np.tanh(X @ W1 + b1)\nx = layer\ndW1 = x.T @ dY1",
        SQUARE,
        "dW1 =",
        "",
    ),
    "a value used before it is there": (
        FORWARD
        + BACKWARD.replace(
            "dz1 = (dout @ W2.T) * (z1 > 0)\ndW1 = X.T @ dz1", "dW1 = X.T @ dz1\ndz1 = (dout @ W2.T) * (z1 > 0)"
        ),
        RELU,
        "dW1 =",
        "it uses dz1 before line 8 gives it",
    ),
    "a value of the last turn": (
        in_a_loop(turn=FORWARD + UPDATE.replace("W1 -= lr * dW1", "W1 -= lr * X.T @ dz1") + BACKWARD),
        RELU,
        "W1 -=",
        "it uses dz1 before",
    ),
    "a value of the forward pass before it is there": (
        "def forward():\n"
        + indented(
            FORWARD.replace("a1 = np.maximum(z1, 0)\nout = a1 @ W2 + b2", "out = a1 @ W2 + b2\na1 = np.maximum(z1, 0)")
        )
        + BACKWARD,
        RELU,
        "out =",
        "it uses a1 before line 4 gives it",
    ),
    "a value of one's own before it is there": (
        "output_delta = error * y_pred * (1 - y_pred)\nerror = y_pred - y\ndW2 = H1.T @ output_delta",
        HALF,
        "output_delta =",
        "it uses error before line 2 gives it",
    ),
    "steps that nobody of a class counts": (
        (
            "class Net:\n    def __init__(self):\n        self.t = 0\n    def step(self):\n"
            "        self.mW1 = 0.9 * self.mW1 + 0.1 * dW1\n        self.vW1 = 0.999 * self.vW1 + 0.001 * dW1**2\n"
            "        self.W1 -= lr * self.mW1 / (1 - 0.9**self.t) / (np.sqrt(self.vW1 / (1 - 0.999**self.t)) + 1e-8)"
        ),
        SECOND,
        "W1 -=",
        "",
    ),
    "steps that are never counted": (
        (
            "t = 0\nmW1 = 0.9 * mW1 + 0.1 * dW1\nvW1 = 0.999 * vW1 + 0.001 * dW1**2\n"
            "W1 -= lr * mW1 / (1 - 0.9**t) / (np.sqrt(vW1 / (1 - 0.999**t)) + 1e-8)"
        ),
        SECOND,
        "W1 -=",
        "",
    ),
}


@pytest.mark.parametrize(("text", "problem", "blamed", "said"), WRONG.values(), ids=WRONG)
def test_in_a_wrong_script_the_line_with_the_mistake_is_blamed_first(text, problem, blamed, said):
    found = check_lines(text, problem)
    assert found.ok is False, found
    assert found.first_wrong.text.startswith(blamed), found
    assert said in found.first_wrong.sentence


DLAI = """m = X.shape[1]
Z1 = W1 @ X + b1
A1 = np.tanh(Z1)
Z2 = W2 @ A1 + b2
A2 = 1 / (1 + np.exp(-Z2))
dZ2 = A2 - Y
dW2 = 1 / m * dZ2 @ A1.T
db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)
dZ1 = W2.T @ dZ2 * (1 - A1**2)
dW1 = 1 / m * dZ1 @ X.T
db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)
"""
SUMMED = """delta2 = out - y
nabla_W2 = a1.T @ delta2
nabla_b2 = delta2.sum(0)
delta1 = (delta2 @ W2.T) * (z1 > 0)
nabla_W1 = X.T @ delta1
nabla_b1 = delta1.sum(0)
W1 = W1 - (lr / len(X)) * nabla_W1
b1 = b1 - (lr / len(X)) * nabla_b1
W2 = W2 - (lr / len(X)) * nabla_W2
b2 = b2 - (lr / len(X)) * nabla_b2
"""
ERRORS = """hidden = 1 / (1 + np.exp(-(X @ W1 + b1)))
output = 1 / (1 + np.exp(-(hidden @ W2 + b2)))
error = y - output
output_delta = error * output * (1 - output)
hidden_error = output_delta @ W2.T
hidden_delta = hidden_error * hidden * (1 - hidden)
W2 += lr * hidden.T @ output_delta
b2 += lr * np.sum(output_delta, axis=0, keepdims=True)
W1 += lr * X.T @ hidden_delta
b1 += lr * np.sum(hidden_delta, axis=0, keepdims=True)
"""
TANH_TWO = TWO.evolve(network=Network([Linear(drawn((3, 4)), drawn((1, 4))), Tanh(), *TWO.network.layers[2:]]))
ALONE = {  # a right script, its problem, a line and what stands there by mistake
    "1/m comes after a wrong dZ2": (DLAI, TANH_TWO, "dZ2 = A2 - Y", "dZ2 = A2 - A2"),
    "1/m comes after a dZ2 of another shape": (DLAI, TANH_TWO, "dZ2 = A2 - Y", "dZ2 = A1 - Y"),
    "1/m comes in the update": (SUMMED, MEAN, "nabla_W2 = a1.T @ delta2", "nabla_W2 = 2 * a1.T @ delta2"),
    "1/m comes in the update of a wrong one": (SUMMED, MEAN, "nabla_W1 = X.T @ delta1", "nabla_W1 = X.T @ z1"),
    "1/m comes in an update that takes another": (SUMMED, MEAN, "* nabla_b2", "* nabla_W2"),
    "1/m comes in the update of all": (SUMMED, MEAN, "delta2 = out - y", "delta2 = 2 * (out - y)"),
    "errors that are added": (ERRORS, HALF, "error = y - output", "error = y - b2"),
    "errors of another shape that are added": (ERRORS, HALF, "error = y - output", "error = y - hidden"),
    "a sign among errors that are added": (ERRORS, HALF, "output_delta = error", "output_delta = -error"),
    "a sign further on": (ERRORS, HALF, "hidden_delta = hidden_error", "hidden_delta = -hidden_error"),
    "an update that is made of the parameter alone": (ERRORS, HALF, "np.sum(hidden_delta", "np.sum(b2"),
}


@pytest.mark.parametrize(("text", "problem", "right", "wrong"), ALONE.values(), ids=ALONE)
def test_a_wrong_line_takes_no_right_one_with_it(text, problem, right, wrong):
    assert check_lines(text, problem)
    with_a_mistake = text.replace(right, wrong)
    found = check_lines(with_a_mistake, problem)
    number = text[: text.index(right)].count("\n") + 1
    assert {each.lines for each in found.lines if each.ok is False} == {(number,)}, found


@pytest.mark.parametrize("more", ["", "dW1 = X.T @ dH1"])
def test_a_factor_and_a_mistake_further_on_are_both_told(more):
    lines = (
        "dZ2 = P - y\ndW2 = H1.T @ dZ2\ndb2 = dZ2.sum(axis=0)\ndH1 = dZ2 @ W2.T\ndZ1 = dH1\n"
        f"{more or 'dW1 = X.T @ dZ1'}\ndb1 = dZ1.sum(axis=0)"
    )
    found = check_lines(lines, CLASSES)
    assert [each.of for each in found.lines if each.ok is False] == ["dy_pred", "dY1"] + ["dW1"] * bool(more), found
    assert "dZ2 is 5 times what it should be" in found.first_wrong.sentence


def test_a_gradient_that_no_line_gives_may_be_one_without_1_over_m():
    without = DLAI.replace("dZ2 = A2 - Y\n", "")
    assert check_lines(without, TANH_TWO)
    found = check_lines(without.replace("(1 - A1**2)", "(1 - A1)"), TANH_TWO)
    assert [each.of for each in found.lines if each.ok is False] == ["dY1"], found
    assert not check_lines("dW2 = 1 / m * dZ2 @ A1.T", TANH_TWO)  # of one line nobody knows


def test_an_error_that_goes_through_no_slope_is_the_only_line_that_is_wrong():
    lines = (
        "l2_error = y - y_pred\nl2_delta = l2_error * y_pred * (1 - y_pred)\nl1_error = l2_error @ W2.T\n"
        "l1_delta = l1_error * H1 * (1 - H1)\nW2 += lr * H1.T @ l2_delta\nW1 += lr * X.T @ l1_delta"
    )
    found = check_lines(lines, HALF)
    assert [line.of for line in found.lines] == ["dy_pred", "dY2", "dH1", "dY1", "W2_new", "W1_new"], found
    assert [line.lines for line in found.lines if line.ok is not True] == [(3,)], found
    assert "l2_error used where l2_delta was meant" in found.first_wrong.sentence, found


def test_where_a_value_of_ones_own_is_wrong_it_is_named_however_far_back():
    lines = (
        "s = 2 + H1\nq = H1 * s\ndY2 = (y_pred - y) * y_pred * (1 - y_pred)\ndY1 = (dY2 @ W2.T) * q\ndW1 = X.T @ dY1"
    )
    found = check_lines(lines, HALF)
    assert [line.of for line in found.lines if line.ok is not True] == ["dY1"], found
    assert "or the mistake is in s of line 1 and q of line 2" in found.first_wrong.sentence, found
    assert ", ;" not in str(found)


def test_where_a_function_of_ones_own_may_be_wrong_its_line_is_named():
    lines = (
        "def relu_backward(dA, Z):\n    dZ = np.array(dA, copy=True)\n    dZ[Z <= 0] = 0\n    return dZ\n"
        "def relu(Z):\n    return np.maximum(0, Z)\n"
        "A1 = relu(X @ W1 + b1)\ndA1 = dy_pred @ W2.T\ndZ1 = relu_backward(dA1, X @ W1 + b1)\ndW1 = X.T @ dZ1\n"
    )
    assert check_lines(lines, RELU)
    for right, wrong in (("np.array(dA, copy=True)", "-dA.copy()"), ("dZ[Z <= 0] = 0", "dZ[Z <= 0] = 1")):
        found = check_lines(lines.replace(right, wrong), RELU)
        assert "or the mistake is in relu_backward of line 1" in found.first_wrong.sentence, found
    found = check_lines(lines.replace("dW1 = X.T @ dZ1", "dW1 = X.T @ (dZ1 + relu(dZ1))"), RELU)
    assert "relu of" not in str(found), found  # as another line with it is right
    several = (
        "def back(d, W, h):\n    return -(d @ W.T), h.T @ d, d.sum(0)\n"
        "dH1, dW2, db2 = back(dy_pred, W2, H1)\ndX, dW1, db1 = back(dH1 * (H1 > 0), W1, X)\n"
    )
    found = check_lines(several, RELU)
    assert "or the mistake is in back of line 1" in found.first_wrong.sentence, found


def test_functions_that_may_be_at_fault_are_named_in_the_order_of_their_lines(example):
    functions = "".join(f"def f{k}(x): return {'np.abs(x)' if k == 5 else 'x'}\n" for k in range(1, 6))
    found = check_lines(f"{functions}dY1 = 0.3 * f5(f1(f4(f3(f2(dH1)))))", example.problem)
    named = " and ".join([", ".join(f"f{k} of line {k}" for k in range(1, 5)), "f5 of line 5"])
    assert found.first_wrong.sentence.endswith(f"or the mistake is in {named}")


def test_a_number_that_has_the_name_of_a_value_is_no_name_for_it():
    lines = (
        "h = 6\nhidden_layer = np.maximum(0, X @ W1 + b1)\ndhidden = dy_pred @ W2.T\ndhidden[hidden_layer < 0] = 0\n"
        "dW1 = X.T @ dhidden"
    )
    found = check_lines(lines, RELU)
    assert "asks whether hidden_layer >= 0" in found.first_wrong.sentence, found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            in_a_loop(turn="vW1 = np.zeros_like(W1)\n" + TURN),
            "line 2, `vW1 = .*is inside the loop, so that vW1 starts again",
        ),
        (
            in_a_loop(turn="W1 = 0.01 * np.random.randn(3, 4)\n" + TURN),
            "so that W1 starts again in each turn: it belongs",
        ),
        (in_a_loop(turn="t = 0\nt += 1\n" + TURN), "so that t starts again"),
        (
            (
                "def sgd(W2, dW2):\n    W2 = W2 - lr * dW2\n    return W2\n"
                "for e in range(9):\n    dW2 = H1.T @ dy_pred\n    sgd(W2, dW2)"
            ),
            r"line 6, `sgd\(W2, dW2\)`, drops what sgd returns, so that W2 stays as it is: write `W2 = sgd\(W2, dW2\)`",
        ),
    ],
)
def test_a_loop_that_undoes_what_it_does_is_told_so(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_lines(text, MOVING if "vW1" in text else SECOND if "t += 1" in text else RELU)


@pytest.mark.parametrize(
    ("cut", "right", "wrong", "sentence"),
    [
        (
            "Xb, yb = X[idx], y[idx]",
            "dW1 = Xb.T",
            "dW1 = X.T",
            "line 11, `dW1 = X.T @ dz1`, uses all of X, and line 4 ",
        ),
        ("Xb, yb = X[idx], y[idx]", "(out - yb)", "(out - y)", "uses all of y, and line 4 uses Xb, with the samples "),
        (
            "Xb, yb = X[idx], y[:2]",
            "",
            "",
            "line 7, `dout = .*uses yb, with the samples .:2., and line 4 uses Xb, with",
        ),
        (
            "X = X[idx]\n    Xb, yb = X[:2], y[:2]",
            "",
            "",
            "uses Xb, with the samples .idx..:2.: each turn needs the same",
        ),
        ("Xb = X[idx]", "- yb)", "- y[:2])", r"uses y\[:2\], and line 4 uses Xb, with the samples .idx.: each turn"),
    ],
)
def test_a_turn_that_takes_other_samples_of_x_than_of_y_is_told_so(cut, right, wrong, sentence):
    drawn = f"idx = np.random.choice(len(X), 2)\n{cut}\n".replace("    ", "")
    with pytest.raises(ValueError, match=sentence):
        check_lines(in_a_loop(turn=drawn + (OF_A_BATCH.replace(right, wrong) if right else OF_A_BATCH)), RELU)


@pytest.mark.parametrize(
    "turn",
    [
        "Xb, yb = X[:, idx], y[idx]\n" + OF_A_BATCH,  # samples are columns in one of them
        "Xb, yb = X[idx], X[idx + 1]\n" + OF_A_BATCH,  # what comes next
        "dW2 = H1.T @ dy_pred\nW2 -= lr * dW2 + 0 * X[0:3].T @ y[1:4] * 0",  # parts
    ],
)
def test_batches_that_may_go_together_are_not_told_that_they_do_not(turn):
    assert check_lines(in_a_loop(turn=turn), RELU).lines


OF_ONE_LAYER = [
    (
        "class Dense:\n    def forward(self, x):\n        self.x = x\n        return x @ self.W + self.b\n"
        "    def backward(self, dout):\n        self.dW = self.x.T @ dout\n        self.db = dout.sum(axis=0)\n"
        "        return dout @ self.W.T"
    ),
    "def affine_backward(dout, cache):\n    x, w, b = cache\n    dw = x.T @ dout\n    return dout @ w.T, dw",
]


@pytest.mark.parametrize("text", OF_ONE_LAYER)
def test_the_backward_pass_of_one_layer_is_not_held_against_a_network_of_two(text):
    with pytest.raises(ValueError, match=r"is for one layer, and this network has 2: only lines .* diagnose runs any"):
        check_lines(text, RELU)
    assert check_lines(text, LINE).ok is not False


def test_of_two_classes_with_a_backward_pass_each_nobody_knows_which_is_meant():
    dense = OF_ONE_LAYER[0]
    relu = "class ReLU:\n    def backward(self, dout):\n        self.dx = dout * (self.x > 0)"
    layer = program("H = x @ W + b\nL = np.sum(H * dout)", {"W": drawn((3, 2)), "b": drawn((1, 2))},
        {"x": drawn((4, 3)), "dout": drawn((4, 2))})  # fmt: skip
    assert check_lines(dense, layer).ok
    with pytest.raises(ValueError, match="lines 5 and 11 both have a `backward`, of Dense and of ReLU: hand in only"):
        check_lines(f"{dense}\n\n{relu}", layer)
    assert check_lines(f"class Base:\n    def backward(self, dout):\n        pass\n\n{dense}", layer).ok
    other = "class Adam:\n    def __init__(self):\n        self.decay = 0.9"
    found = check_lines(f"{dense}\n    def __init__(self):\n        self.dropout = 0.5\n\n{other}", layer)
    assert [(line.of, line.ok) for line in found.lines[:2]] == [("dW", True), ("db", True)], found


COLLECTED = """
Ws, acts, dWs, dbs = [W1, W2, W3], [X, H1, H2], [], []
delta = (y_pred - y) * y_pred * (1 - y_pred)
for l in reversed(range(3)):
    dWs.insert(0, acts[l].T @ delta)
    dbs.insert(0, delta.sum(axis=0))
    if l > 0:
        delta = (delta @ Ws[l].T) * acts[l] * (1 - acts[l])
"""
IN_PAIRS = """
grads = []
delta = (y_pred - y) * y_pred * (1 - y_pred)
grads.append((H2.T @ delta, delta.sum(axis=0)))
delta = (delta @ W3.T) * H2 * (1 - H2)
grads.append((H1.T @ delta, delta.sum(axis=0)))
delta = (delta @ W2.T) * H1 * (1 - H1)
dW1 = X.T @ delta
grads.append((dW1, delta.sum(axis=0)))
"""
INTO_LISTS = {
    "from the front": COLLECTED,
    "turned round": COLLECTED.replace("insert(0, ", "append(") + "dWs.reverse()\ndbs = dbs[::-1]",
    "turned round where it is returned": COLLECTED.replace("insert(0, ", "append(")
    + "return_ = (dWs[::-1], dbs[::-1])",
    "never read": COLLECTED.replace("insert(0, ", "append("),
    "under other names": COLLECTED.replace("dWs", "grads_w").replace("dbs", "grads_b"),
    "in pairs": IN_PAIRS,
    "and updated": COLLECTED + "for W, dW in zip(Ws, dWs):\n    W -= lr * dW",
}


@pytest.mark.parametrize("text", INTO_LISTS.values(), ids=INTO_LISTS)
def test_what_is_put_into_a_list_of_gradients_is_that_of_its_layer(text):
    found = check_lines(text, DEEP)
    assert found.ok, found
    assert {f"d{letter}{layer}" for letter in "Wb" for layer in (1, 2, 3)} <= {line.of for line in found.lines}, found
    for right, wrong in (("y_pred * (1 - y_pred)", "y_pred"), ("delta.sum(axis=0)", "delta.mean(axis=0)")):
        other = check_lines(text.replace(right, wrong), DEEP)
        assert other.ok is False, other
        assert right.partition("(")[0].rstrip(" *") in other.first_wrong.text or "delta" in other.first_wrong.text


def test_of_a_list_that_is_never_turned_round_it_is_not_known_which_entry_is_read():
    with pytest.raises(ValueError, match=r"`dWs.append\(H2.T @ delta\)`, is a line that gives its result no name"):
        check_lines(COLLECTED.replace("insert(0, ", "append(") + "W1 -= lr * dWs[0]", DEEP)


@pytest.mark.parametrize("put", ["dY2", "(dY2, dY2, dY2)", "2 * dY2"])
def test_nobody_knows_what_a_list_of_all_gradients_has_in_it(put):
    lines = f"dY2 = 2 * (y_pred - y)\ngrads = []\ngrads.append({put})"
    if put == "dY2":  # which is judged where it is made
        assert check_lines(lines, RELU).ok
    else:
        with pytest.raises(ValueError, match="is a line that gives its result no name"):
            check_lines(lines, RELU)


def test_a_list_has_no_more_gradients_than_there_are_layers():
    with pytest.raises(ValueError, match="line 4, `dWs"):
        check_lines("dY2 = 2 * (y_pred - y)\n" + "dWs.append(H1.T @ dY2)\n" * 3, RELU)


SAME_AS_NUMPY = {
    "a name that is another later": "from numpy import sum\nsum = 3\ndb2 = np.sum(dY2, axis=0)\ndW2 = H1.T @ dY2",
    "under a name of a loop over keys": (
        "params = {'W1': W1, 'W2': W2}\ngrads = {'W1': X.T @ dY1, 'W2': H1.T @ dY2}\n"
        "for key in params:\n    dparam = grads[key]\n    params[key] -= lr * dparam"
    ),
    "a name of NumPy's": "from numpy import dot, sum as total\ndW2 = dot(H1.T, dY2)\ndb2 = total(dY2, axis=0)",
    "in place": "dY1 = dY2 @ W2.T\nnp.putmask(dY1, H1 <= 0, 0)\ndW1 = X.T @ dY1",
    "in training": "if training:\n    dW2 = H1.T @ dY2\nelse:\n    dW2 = 0 * W2\ndb2 = dY2.sum(axis=0)",
    "in a mode": "if mode == 'train':\n    dW2 = H1.T @ dY2\nelif mode == 'test':\n    dW2 = 0 * W2",
}


@pytest.mark.parametrize("text", SAME_AS_NUMPY.values(), ids=SAME_AS_NUMPY)
def test_what_numpy_has_under_another_name_and_what_is_for_training_alone_is_followed(text):
    found = check_lines(f"dY2 = 2 * (y_pred - y)\n{text}", RELU)
    assert found.ok, found
    assert len(found.lines) > 1
    wrong = check_lines(f"dY2 = 2 * (y_pred - y)\n{text}".replace("H1.T", "2 * H1.T").replace("<= 0", "< 0"), RELU)
    assert wrong.first_wrong, wrong


OF_A_BOOK = """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def sigmoid_grad(x):
    return (1.0 - sigmoid(x)) * sigmoid(x)

def softmax(x):
    x = x - np.max(x, axis=-1, keepdims=True)
    return np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)

def gradient(self, x, t):
    W1, W2 = self.params['W1'], self.params['W2']
    b1, b2 = self.params['b1'], self.params['b2']
    grads = {}
    batch_num = x.shape[0]
    a1 = np.dot(x, W1) + b1
    z1 = sigmoid(a1)
    a2 = np.dot(z1, W2) + b2
    y = softmax(a2)
    dy = (y - t) / batch_num
    grads['W2'] = np.dot(z1.T, dy)
    grads['b2'] = np.sum(dy, axis=0)
    da1 = np.dot(dy, W2.T)
    dz1 = sigmoid_grad(a1) * da1
    grads['W1'] = np.dot(x.T, dz1)
    grads['b1'] = np.sum(dz1, axis=0)
    return grads
"""  # as in Saitoh's "Deep Learning from Scratch", chapter 4
IN_THE_BOOK = {  # the first edition calls the gradient of z1 da1, and that of a1 dz1
    ("", ""): "",
    ("np.dot(x.T, dz1)", "np.dot(x.T, da1)"): "da1 used where dz1 was meant: it has not been back through the",
    ("sigmoid_grad(a1) * da1", "da1"): "the slope of the function that gives z1 is missing",
    ("sigmoid_grad(a1) * da1", "sigmoid_grad(z1) * da1"): "the activation had been run twice",
    ("np.sum(dz1, axis=0)", "np.sum(da1, axis=0)"): "da1 used where dz1 was meant",
}


@pytest.mark.parametrize(("change", "sentence"), IN_THE_BOOK.items())
def test_gradients_whose_names_are_crossed_are_right_and_a_mistake_beside_them_is_seen(change, sentence):
    problem = random_problem(1, samples=5, activation=Sigmoid(), loss=SoftmaxCrossEntropy())
    second = OF_A_BOOK.replace("da1", "d_").replace("dz1", "da1").replace("d_", "dz1")  # mended in a later edition
    for text in (OF_A_BOOK, second) if not sentence else (OF_A_BOOK,):
        found = check_lines(text.replace(*change), problem)
        wrong = [line for line in found.lines if not line.ok]
        assert [sentence in line.sentence for line in wrong] == [True] * bool(sentence), found


@pytest.mark.parametrize(
    "line",
    [
        "A0 = np.hstack((np.ones((len(X), 1)), X))",
        "A0 = np.c_[X, np.ones(len(X))]",
        "A0 = np.concatenate([np.ones_like(X[:, :1]), X], axis=1)",
        "A0 = np.insert(X, 0, 1, axis=1)",
    ],
)
def test_a_column_of_ones_for_the_bias_is_not_told_to_lack_a_bias(line):
    text = f"{line}\nz1 = A0 @ Theta1.T\ndTheta1 = dY1.T @ A0"
    with pytest.raises(
        ValueError, match=r"line 1, .* adds ones for a bias, which has a name of its own in this problem"
    ):
        check_lines(text, RELU)
    pieces = "dWb = Xb.T @ dY1\ndW1, db1 = dWb[:-1], dWb[-1]"
    assert check_lines(f"Xb = np.c_[X, np.ones(len(X))]\n{pieces}", RELU).ok is True
    without = Problem(Network([Linear(drawn((3, 1)))]), MeanSquaredError(), drawn((6, 3)), drawn((6, 1)), 0.1)
    assert check_lines(line.replace("A0", "X") + "\ndW1 = X.T @ dy_pred", without).lines


def test_of_several_rates_each_run_may_begin_anew():
    runs = "for lr in (0.1, 0.01):\n    W1 = np.random.randn(3, 4)\n" + indented(in_a_loop())
    assert check_lines(runs, RELU).ok


def test_a_parameter_that_has_a_gradient_and_no_update_is_missing():
    found = check_lines(TURN.replace("b2 -= lr * db2\n", ""), RELU)
    assert (found.ok, found.missing) == (True, ("b2_new",))
    assert "no line was found for b2_new" in str(found)


def test_a_loop_that_cannot_be_followed_names_the_line_that_stops_it():
    with pytest.raises(ValueError, match=r"line 11, `X = X \+ epoch`, uses epoch"):
        check_lines(in_a_loop(turn=TURN[: TURN.index("W1 -=")] + "X = X + epoch\n" + UPDATE), RELU)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("features_a", "H1"),
        ("x_things", "X"),
        ("y_things", "y"),
        ("w_first", "W1"),
        ("bias_1st", "b1"),
        ("synapse_0", "W1"),
        ("v_dW_now", "vW1"),
        ("vector_a", "H1"),
    ],
)
def test_what_a_name_may_stand_for_is_suggested_by_its_letter(name, meant):
    found = check_lines(f"dW1 = {name}.T @ dY1", RELU)
    assert f"names={{'{name}': '{meant}'}}" in str(found)


@pytest.mark.parametrize(
    "line", ["dW2 = torch.matmul(H1.T, dY2)", "db2 = jnp.sum(dY2, axis=0)", "db2 = tf.reduce_sum(dY2)"]
)
def test_another_module_than_numpy_is_told_to_be_one(line):
    assert "The only module known here is NumPy" in str(check_lines(line, RELU))


def layers_of(problem, sizes):
    numbers = [Linear(drawn((n, m)), drawn((1, m))) for n, m in pairwise(sizes)]
    layers = [each for linear in numbers for each in (linear, Sigmoid())]
    return Problem(Network(layers), HalfSquaredError(), drawn((problem, sizes[0])), drawn((problem, sizes[-1])), 0.1)


DEEP, DEEP_ALONE = layers_of(5, (4, 5, 6, 2)), layers_of(1, (4, 5, 6, 2))
NIELSEN = """
def sigmoid(z):
    return 1.0/(1.0+np.exp(-z))
def sigmoid_prime(z):
    return sigmoid(z)*(1-sigmoid(z))
class Network(object):
    def backprop(self, x, y):
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        activation = x
        activations = [x]
        zs = []
        for b, w in zip(self.biases, self.weights):
            z = np.dot(w, activation)+b
            zs.append(z)
            activation = sigmoid(z)
            activations.append(activation)
        delta = self.cost_derivative(activations[-1], y) * sigmoid_prime(zs[-1])
        nabla_b[-1] = delta
        nabla_w[-1] = np.dot(delta, activations[-2].transpose())
        for l in range(2, self.num_layers):
            z = zs[-l]
            sp = sigmoid_prime(z)
            delta = np.dot(self.weights[-l+1].transpose(), delta) * sp
            nabla_b[-l] = delta
            nabla_w[-l] = np.dot(delta, activations[-l-1].transpose())
        return (nabla_b, nabla_w)
    def cost_derivative(self, output_activations, y):
        return (output_activations-y)
"""
ROWS_OF_LISTS = """
A = X
activations = [X]
zs = []
for W, b in zip(weights, biases):
    Z = A @ W + b
    zs.append(Z)
    A = 1 / (1 + np.exp(-Z))
    activations.append(A)
delta = (activations[-1] - y) * activations[-1] * (1 - activations[-1])
dWs = [None] * len(weights)
dbs = [None] * len(weights)
for i in range(len(weights) - 1, -1, -1):
    dWs[i] = activations[i].T @ delta
    dbs[i] = delta.sum(axis=0, keepdims=True)
    if i > 0:
        delta = delta @ weights[i].T * activations[i] * (1 - activations[i])
"""
OF_DICTIONARIES = """
def s_prime(z):
    s = 1/(1+np.exp(-z))
    return s*(1-s)
L = len(params) // 2
grads = {}
for l in reversed(range(1, L + 1)):
    if l == L:
        dA = cache["A" + str(L)] - y
    else:
        dA = dZ @ params[f"W{l + 1}"].T
    dZ = dA * s_prime(cache[f"Z{l}"])
    grads[f"W{l}"] = cache[f"A{l - 1}"].T @ dZ
    grads[f"b{l}"] = dZ.sum(0, keepdims=True)
"""
OF_A_CHOICE = """
deltas = [None] * 3
for l in range(3)[::-1]:
    error = activations[-1] - y if l == 2 else deltas[l + 1] @ weights[l + 1].T
    deltas[l] = error * activations[l + 1] * (1 - activations[l + 1])
grad_weights = [activations[0].T @ deltas[0], activations[1].T @ deltas[1], activations[2].T @ deltas[2]]
"""
OF_SLICES = """
acts = [X]
for W, b in zip(weights[:-1], biases[:-1]):
    acts.append(sigmoid(acts[-1] @ W + b))
acts.append(sigmoid(acts[-1] @ weights[-1] + biases[-1]))
delta = (acts[-1] - y) * acts[-1] * (1 - acts[-1])
for W, A, i in zip(reversed(weights), acts[::-1][1:], [2, 1, 0]):
    dWs[i] = A.T @ delta
    dbs[i] = delta.sum(axis=0, keepdims=True)
    delta = delta @ W.T * A * (1 - A)
"""
OF_ITS_LAST = """
weights, biases = [W1, W2, W3], [b1, b2, b3]
zs, acts = [], [X]
for w, b in zip(weights, biases):
    z = acts[-1] @ w + b
    zs.append(z)
    acts.append(sigmoid(zs[-1]))
delta = (acts[-1] - y) * acts[-1] * (1 - acts[-1])
dW3 = acts[-2].T @ delta
delta = (delta @ weights[-1].T) * acts[-2] * (1 - acts[-2])
dW2 = acts[-3].T @ delta
"""
OF_TWO_WAYS = """
acts = [X]
for l in range(3):
    z = acts[-1] @ weights[l] + biases[l]
    if l < 2:
        acts.append(sigmoid(z))
    else:
        acts.append(1 / (1 + np.exp(-z)))
delta = (acts[-1] - y) * acts[-1] * (1 - acts[-1])
dW3 = acts[-2].T @ delta
"""
OF_HIDDEN_ONES = """
acts = [X]
for w, b in zip([W1, W2], [b1, b2]):
    acts.append(sigmoid(acts[-1] @ w + b))
A3 = sigmoid(acts[-1] @ W3 + b3)
delta = (A3 - y) * A3 * (1 - A3)
dW3 = acts[-1].T @ delta
delta = (delta @ W3.T) * acts[-1] * (1 - acts[-1])
dW2 = acts[-2].T @ delta
"""
OVER_LAYERS = {
    "the last one in each turn": (OF_ITS_LAST, DEEP, "dY3 dW3 dY2 dW2"),
    "one of two ways": (OF_TWO_WAYS, DEEP, "dY3 dW3"),
    "one of two ways by a name": (OF_TWO_WAYS.replace("l < 2", "is_training"), DEEP, "dY3 dW3"),
    "a list from 0 beside one from 1": (
        (
            "zs = []\ndW = [None] * 4\nzs.append(X @ W1 + b1)\nA1 = sigmoid(zs[-1])\nzs.append(A1 @ W2 + b2)\n"
            "A2 = sigmoid(zs[-1])\ndW[3] = A2.T @ dY3\ndW[2] = A1.T @ dY2\ndW[1] = X.T @ dY1"
        ),
        DEEP,
        "dW3 dW2",
    ),
    "hidden layers alone": (OF_HIDDEN_ONES, DEEP, "dY3 dW3 dY2 dW2"),
    "Nielsen": (NIELSEN, DEEP_ALONE, "dw3 db3 dw2 db2 dw1 db1"),
    "lists": (ROWS_OF_LISTS, DEEP, "dW3 db3 dW2 db2 dW1 db1"),
    "dictionaries": (OF_DICTIONARIES, DEEP, "dW3 db3 dW2 db2 dW1 db1"),
    "slices": (OF_SLICES, DEEP, "dW3 db3 dW2 db2 dW1 db1"),
    "a choice": (OF_A_CHOICE, DEEP, "dY3 dY2 dY1"),
}


@pytest.mark.parametrize(("text", "problem", "of"), OVER_LAYERS.values(), ids=OVER_LAYERS)
def test_a_loop_over_layers_is_judged_turn_by_turn(text, problem, of):
    found = check_lines(text, problem)
    assert found.ok, found
    assert {each.replace("w", "W") for each in of.split()} <= {line.of for line in found.lines}, found


@pytest.mark.parametrize(
    ("text", "right", "wrong", "of", "said"),
    [
        (NIELSEN, "self.weights[-l+1]", "self.weights[-l]", "dY2", "it stops with"),
        (NIELSEN, "activations[-l-1]", "activations[-l]", "dW2", "used where A1 was meant"),
        (NIELSEN, ", delta) * sp", ", delta)", "dY2", "the slope of the function"),
        (
            ROWS_OF_LISTS,
            "* activations[i] * (1 - activations[i])",
            "* activations[i] * activations[i]",
            "dY2",
            "`1 -` is missing",
        ),
        (ROWS_OF_LISTS, "dbs[i] = delta.sum(", "dbs[i] = delta.mean(", "db3", ""),
        (OF_DICTIONARIES, "if l == L", "if l == 1", "", "cannot be told: what is W4?"),
        (OF_DICTIONARIES, "dZ @ params", "dA @ params", "dH2", "used where dZ was meant"),
        (OF_ITS_LAST, "acts[-2].T", "acts[-1].T", "dW3", "used where A2 was meant"),
        (OF_HIDDEN_ONES, "dW2 = acts[-2].T", "dW2 = acts[-1].T", "dW2", "A2 used where H1 was meant"),
        (OF_A_CHOICE, "deltas[l + 1] @ weights[l + 1].T", "deltas[l + 1] @ weights[l].T", "dH2", "it stops with"),
    ],
)
def test_a_mistake_in_a_loop_over_layers_is_blamed_where_it_is_first_made(text, right, wrong, of, said):
    assert right in text
    problem = DEEP_ALONE if text == NIELSEN else DEEP
    found = check_lines(text.replace(right, wrong), problem)
    first = next(line for line in found.lines if line.ok is not True)
    assert first.of == of, found
    assert said in first.sentence, found


def test_a_loop_over_samples_or_steps_of_time_is_not_taken_for_one_over_layers():
    for loop in (
        "for i in range(5):\n    dW1 += np.outer(x[i], delta[i])",
        "for t in reversed(range(3)):\n    dh = dy[t] @ Why",
    ):
        with pytest.raises(ValueError, match=r"is a for: .* diagnose runs any code"):
            check_lines(loop, RELU)


BY_NUMBERS = """
A = {0: X}
A[1] = np.maximum(0, A[0] @ W1 + b1)
dZ2 = 2 * (y_pred - y)
dW2 = A[1].T @ dZ2
dZ1 = (dZ2 @ W2.T) * (A[1] > 0)
dW1 = A[0].T @ dZ1
"""
WITH_A_PREDICTION = """
class Net:
    def loss(self, X, y=None):
        h = np.maximum(0, X @ W1 + b1)
        out = h @ W2 + b2
        if y is None:
            return out
        d = 2 * (out - y)
        dW2 = h.T @ d
        dh = (d @ W2.T) * (h > 0)
        dW1 = X.T @ dh
        return dW1, dW2
    def predict(self, X):
        y_pred = np.argmax(self.loss(X), axis=1)
        return y_pred
"""
RETURNS_PARAMETERS = """
dZ2 = 2 * (y_pred - y)
dW2 = H1.T @ dZ2
db2 = dZ2.sum(axis=0)
def update(W2, b2, dW2, db2, lr):
    W2 = W2 - lr * dW2
    b2 = b2 - lr * db2
    return {"W2": W2, "b2": b2}
"""


RETURNS_A_PREDICTION = WITH_A_PREDICTION.replace("y_pred = np.argmax", "return np.argmax").replace("return y_pred", "")


@pytest.mark.parametrize("text", [BY_NUMBERS, WITH_A_PREDICTION, RETURNS_A_PREDICTION, RETURNS_PARAMETERS])
def test_what_stands_beside_right_lines_in_scripts_is_no_mistake(text):
    assert check_lines(text, RELU).ok
    wrong = check_lines(text.replace("2 * (", "3 * ("), RELU)
    assert wrong.first_wrong.of == "dy_pred", wrong


@pytest.mark.parametrize("before", ["\ufeff", "In [3]: ", "In []: ", ">>> "])
def test_what_comes_along_when_a_line_is_copied_is_left_out(before):
    assert check_lines(f"{before}dW2 = H1.T @ (2 * (y_pred - y))", RELU).ok


def test_a_gradient_that_is_compared_in_place_of_given_is_told_so():
    with pytest.raises(ValueError, match="is a comparison, which gives nothing a name: write a single ="):
        check_lines("dW2 == H1.T @ (2 * (y_pred - y))", RELU)


@pytest.mark.parametrize("key", ["None", "''", "0.5", "'a b'"])
def test_a_dictionary_with_any_keys_is_no_error_of_python(key):
    found = check_lines(f"A = {{{key}: X}}\ndW2 = H1.T @ (2 * (y_pred - y))", RELU)
    assert [line.of for line in found.lines] == ["dW2"]


@pytest.mark.parametrize(
    "line", ["g: dict = {'a': H1.T @ dY2}\ndW2 = 1 * g", "dW2 = dict({'a': H1.T @ dY2})", "dW2 = f({})"]
)
def test_a_dictionary_in_another_place_is_refused_as_one(line):
    with pytest.raises(ValueError, match="has a dictionary in it, which is not followed here: give its values names"):
        check_lines(line, RELU)


@pytest.mark.parametrize("turn", ["A.append(A[l] @ W[l] + b[l])", "z = A[l] @ W[l] + b[l]\n    A.append(z)"])
def test_a_loop_that_fills_a_list_is_not_dropped_where_that_list_is_read(turn):
    with pytest.raises(ValueError, match=r"line 2, `for l in range\(2\):`, is a for"):
        check_lines(f"A = [X]\nfor l in range(2):\n    {turn}\ndW2 = A[1].T @ (2 * (A[2] - y))", RELU)


MOMENTUM = random_problem(0, 5, 3, 4, 2, lr=0.1, optimizer=Momentum())
STEP = "dZ2 = 2 * (y_pred - y)\ndW2 = H1.T @ dZ2\n"


@pytest.mark.parametrize(
    ("velocity", "update", "is_right"),
    [
        ("0.9 * v + dW2", "W2 -= lr * v", True),
        ("0.9 * v - dW2", "W2 += lr * v", True),
        ("0.9 * v - lr * dW2", "W2 += v", True),
        ("0.9 * v + lr * dW2", "W2 -= v", True),
        ("0.9 * v - dW2", "W2 -= lr * v", False),
        ("0.9 * v + dW2", "W2 += lr * v", False),
        ("0.9 * v - dW2", "W2 += v", False),
    ],
)
def test_a_velocity_may_have_the_sign_and_the_rate_of_the_step_in_it(velocity, update, is_right):
    found = check_lines(f"{STEP}v = {velocity}\n{update}".replace("v", "vW2"), MOMENTUM)
    assert bool(found.ok) is is_right, found


ADAM = """
mW2 = 0.9 * mW2 + (1 - 0.9) * dW2
vW2 = 0.999 * vW2 + (1 - 0.999) * dW2**2
m_hat = mW2 / (1 - 0.9**t)
v_hat = vW2 / (1 - 0.999**t)
W2 = W2 - lr * m_hat / (np.sqrt(v_hat) + 1e-8)
"""


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("0.9**t", "0.9 * t", "m_hat"),
        ("0.9**t", "0.999**t", "m_hat"),
        ("0.999**t", "0.9**t", "v_hat"),
        ("m_hat = mW2 / (1 - 0.9**t)", "m_hat = mW2", "mhatW2 looks like `mW2`: m and v begin at 0"),
    ],
)
def test_a_correction_of_adam_is_judged_in_other_steps_than_the_first_too(right, wrong, said):
    problem = MOMENTUM.evolve(optimizer=Adam())
    assert check_lines(STEP + ADAM, problem).ok
    assert check_lines(f"t = 1\n{STEP}{ADAM}", problem).ok
    assert check_lines((STEP + ADAM).replace("**t", "**1"), problem).ok
    told = check_lines(STEP + ADAM.replace(right, wrong, 1), problem).first_wrong.sentence
    assert said in told, told
    assert not any(word in told for word in ("without the learning rate", "1e-07", "that of a rate")), told


AS_COLUMNS = """
dZ2 = A2 - Y
dW2 = (1 / m) * np.dot(dZ2, A1.T)
db2 = (1 / m) * np.sum(dZ2, axis=1, keepdims=True)
dZ1 = np.multiply(np.dot(W2.T, dZ2), 1 - np.power(A1, 2))
dW1 = (1 / m) * np.dot(dZ1, X.T)
db1 = (1 / m) * np.sum(dZ1, axis=1, keepdims=True)
b1 = b1 - learning_rate * db1
"""
BINARY = random_problem(2, 6, 3, 4, 1, activation=Tanh(), loss=BinaryCrossEntropy())


def test_of_samples_in_columns_a_wrong_count_and_a_flat_bias_are_told_as_what_they_are():
    assert check_lines(AS_COLUMNS, BINARY).ok
    counted = check_lines(f"m = X.shape[0]\n{AS_COLUMNS}", BINARY).first_wrong
    assert counted.sentence.endswith("twice what it should be: m is 3, and there are 6 samples"), counted
    flat = AS_COLUMNS.replace("np.sum(dZ1, axis=1, keepdims=True)", "np.sum(dZ1, axis=1)")
    for text in (flat, flat.replace("b1 = b1 -", "b1 -=")):
        told = check_lines(text, BINARY).first_wrong
        assert "db1 is flat, (4,), and a column, (4, 1), is meant: its sum needs keepdims=True" in told.sentence, told


def test_a_flat_value_that_meets_a_column_is_told_how_it_becomes_one():
    found = check_lines("p = y_pred.ravel()\ndZ2 = (p - y) / 6\ndW2 = H1.T @ dZ2", BINARY)
    assert "p is flat, (6,), and a column, (6, 1), is meant: p[:, None] is one" in found.first_wrong.sentence, found


def test_a_mask_that_is_called_d1_is_one_also_where_its_scale_is_forgotten():
    layers = [Linear(drawn((3, 4)), np.zeros((1, 4))), ReLU(), Dropout(0.2), Linear(drawn((4, 1))), Sigmoid()]
    problem = Problem(Network(layers), BinaryCrossEntropy(), drawn((8, 3)), (drawn((8, 1)) > 0) * 1.0, 0.1)
    text = "dZ2 = A2 - Y\ndA1 = np.dot(W2.T, dZ2)\ndA1 = dA1 * D1\ndA1 = dA1 / keep_prob\n"
    text += "dZ1 = np.multiply(dA1, np.int64(A1 > 0))\ndW1 = 1./m * np.dot(dZ1, X.T)"
    assert check_lines(text, problem, {"keep_prob": 0.8}).ok
    found = check_lines(text.replace("dA1 = dA1 / keep_prob\n", ""), problem)
    assert found.first_wrong.sentence == "wrong: dA1 is 0.8 times what it should be; 1 - 0.2 is 0.8"
    said = "dA1 is 1.6 times what it should be: keep_prob is 0.5, and should be 0.8"
    assert check_lines(text, problem, {"keep_prob": 0.5}).first_wrong.sentence == f"wrong: {said}"
    assert said in str(check_lines(f"keep_prob = 0.5\n{text}", problem))
    dropped = text.replace("/ keep_prob", "/ (1 - p)")
    assert check_lines(dropped, problem, {"p": 0.2}).ok
    assert "p is 0.5, and should be 0.2" in str(check_lines(dropped, problem, {"p": 0.5}))
    found = check_lines(text.replace("/ keep_prob", "/ (2 * c)"), problem, {"c": np.sqrt(0.32)})
    assert "dA1 is 0.7071 times" in str(found), found
    assert "c is" not in str(found), "c / 0.8 is 0.7071 too, but another c would not mend it"


@pytest.mark.parametrize(
    "caches", [[(("X", "W1", "b1"), "Y1"), (("H1", "W2", "b2"), "Y2")], [("X", "Y1"), ("H1", "Y2")]]
)
def test_names_that_are_neither_names_nor_numbers_are_refused_in_words(caches):
    with pytest.raises(ValueError, match=r"names says what caches is by a name of this problem, .*; got \[\("):
        check_lines("dW2 = H1.T @ (2 * (y_pred - y))", RELU, {"caches": caches})


def test_a_value_of_ones_own_that_is_a_multiple_is_said_to_be_where_a_line_is_quoted_with_it():
    draw = np.random.default_rng(1).standard_normal
    lines = "yhat = X @ w\nL = np.sum((yhat - y) ** 2) / (2 * 6) + 0.1 / (2 * 6) * np.sum(w ** 2)"
    ridge = program(lines, {"w": draw((3, 1))}, {"X": draw((6, 3)), "y": draw((6, 1))})
    right = "err = yhat - y\ndw = X.T @ err / m + 0.1 / m * w"
    assert check_lines(right, ridge).ok
    told = check_lines(right.replace("+ 0.1", "- 0.1"), ridge).first_wrong.sentence
    assert told.endswith("`X.mT @ err - w / 60`: a `-` where `+` was meant (where err stands for err / 6)"), told


def test_a_wrong_count_of_samples_is_blamed_on_the_line_that_counts():
    for counted, line in (("m = X.shape[0]\n", "line 1, `m = X.shape[0]`"), ("", None)):
        found = check_lines(counted + AS_COLUMNS.strip(), BINARY)
        assert str(found.first_wrong or "").startswith(line or ""), found
        assert [each.ok for each in found.lines].count(False) == bool(line), found


def test_a_count_that_nobody_uses_is_not_blamed():
    found = check_lines("m = W1.shape[1]\ndy_pred = 2 * (y_pred - y) / 2 * 4\ndW2 = H1.T @ dy_pred", worked_example())
    assert found.first_wrong.lines == (2,), found
    assert " m is " not in str(found)


def test_a_gradient_that_goes_on_in_place_may_be_a_part_where_one_line_has_mask_and_slope():
    rng = np.random.default_rng(1)
    lines = "Z1 = X @ W1\nA1 = np.maximum(Z1, 0) * D1 / 0.8\nZ2 = A1 @ W2\nL = np.mean((Z2 - y) ** 2)"
    data = {"X": rng.standard_normal((6, 3)), "y": rng.standard_normal((6, 1)), "D1": rng.random((6, 4)) < 0.8}
    weights = {"W1": rng.standard_normal((3, 4)), "W2": rng.standard_normal((4, 1))}
    problem = program(lines, weights, data | {"D1": data["D1"] * 1.0})
    text = "dZ2 = 2 * (Z2 - y) / 6\ndA1 = dZ2 @ W2.T\ndA1 = dA1 * D1\ndA1 = dA1 / 0.8\n"
    text += "dZ1 = dA1 * (A1 > 0)\ndW1 = X.T @ dZ1"
    assert check_lines(text, problem).ok
    for right, wrong in (("dA1 * D1", "dA1 * (1 - D1)"), ("dA1 / 0.8", "dA1 / 0.6")):
        found = check_lines(text.replace(right, wrong), problem)
        assert len([each for each in found.lines if each.ok is False]) == 1, found


def test_a_difference_without_the_factor_of_the_loss_is_said_to_be_right_as_one(linear):
    text = "error = X @ w + b - y\ndw = 2 * X.T @ error / len(X)\ndb = 2 * error.mean()"
    assert check_lines(text, linear).ok
    found = check_lines(text.replace("2 * ", ""), linear)
    assert "half of what it should be: as a difference it is right, but the factor" in found.first_wrong.sentence


@pytest.fixture
def linear():
    rng = np.random.default_rng(1)
    data = {"X": rng.standard_normal((6, 3)), "y": rng.standard_normal((6, 1))}
    lines = "yhat = X @ w + b\nL = np.mean((yhat - y) ** 2)"
    return program(lines, {"w": rng.standard_normal((3, 1)), "b": np.zeros((1, 1))}, data)


def test_what_is_said_of_a_sum_and_of_a_copy_is_what_the_line_does():
    text = "dy_pred = 2 * (y_pred - y)\ndW2 = H1.T @ dy_pred\ndb2 = dy_pred.sum(1)\ndH1 = dy_pred @ W2.T\n"
    text += "drelu = dH1.copy()\ndW1 = X.T @ drelu"
    told = {each.of: each.sentence for each in check_lines(text, worked_example()).lines}
    assert told["db2"].endswith(": a sum along the other axis"), told
    assert told["dY1"].endswith("the ReLU's mask is missing"), told


def test_weights_that_are_counted_from_0_are_known_as_synapses():
    forward = "l1 = 1 / (1 + np.exp(-np.dot(X, syn0)))\nl2 = 1 / (1 + np.exp(-np.dot(l1, syn1)))\n"
    back = "l2_delta = (y - l2) * (l2 * (1 - l2))\nl1_delta = l2_delta.dot(syn1.T) * (l1 * (1 - l1))\n"
    update = "syn1 += l1.T.dot(l2_delta)\nsyn0 += X.T.dot(l1_delta)"
    layers = (Linear(drawn((3, 4))), Sigmoid(), Linear(drawn((4, 1))), Sigmoid())
    problem = Problem(Network(layers), HalfSquaredError(), drawn((5, 3)), drawn((5, 1)), 1.0)
    assert check_lines(forward + back + update, problem).ok
    wrong = check_lines((forward + back + update).replace(" * (l1 * (1 - l1))", ""), problem)
    assert "the slope of the function that gives l1 is missing" in wrong.first_wrong.sentence, wrong
