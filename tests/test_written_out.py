"""A forward pass with loops, functions and names used again is refused, and its lines are offered in their place."""

import ast
import inspect
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest
import random_texts
from common import check_said, count
from known_programs import PROGRAMS, given_of
from random_texts import RandomText

from backprop_lab import program, trace
from backprop_lab.deriving.values import UnclearError
from backprop_lab.deriving.written_out import written_out

PARAMETERS = {
    "Wx": (3, 4), "Wh": (4, 4), "bh": (4,), "Wy": (4, 2), "c": (1, 2), "W1": (3, 4), "b1": (1, 4), "W2": (4, 4),
    "b2": (1, 4), "W3": (4, 2), "b3": (1, 2), "scale": (),
    "V": (7, 4), "V2": (8, 2), "Ws": (2, 3, 4),
}  # fmt: skip
DATA = {
    "x": (3, 5, 3),
    "h0": (5, 4),
    "X": (5, 3),
    "y": (5, 2),
    "ys": (3, 5, 2),
    "image": (4, 4),
    "kernel": (2, 2),
    "labels": (5,),
}
EACH = np.random.default_rng(0)
GIVEN = {name: EACH.standard_normal(shape) for name, shape in (PARAMETERS | DATA).items()} | {
    "labels": np.array([0, 1, 1, 0, -1])
}
SHAPES = {name: value.shape for name, value in GIVEN.items()}


class Parameters(dict):
    """A dictionary whose entries can be read as attributes, too."""

    __getattr__ = dict.__getitem__


def parted(texts):
    return texts.strip("\n").split("\n---\n")


# Forward passes as people write them.
FOLLOWED = parted("""
h = h0
for t in range(3):
    h = np.tanh(x[t] @ Wx + h @ Wh + bh)
L = np.sum((h @ Wy - y)**2)
---
hs = [h0]
for t in range(len(x)):
    hs.append(np.tanh(x[t] @ Wx + hs[-1] @ Wh + bh))
L = np.sum(hs[-1]**2)
---
hs = {}
hs[-1] = h0
loss = 0
T, N, D = x.shape
for t in range(T):
    hs[t] = np.tanh(x[t] @ Wx + hs[t - 1] @ Wh)
    loss += np.sum((hs[t] @ Wy - ys[t])**2) / N
---
h, losses = h0, []
for x_t, y_t in zip(x, ys):
    h = np.tanh(x_t @ Wx + h @ Wh)
    losses.append(np.mean((h @ Wy + c - y_t)**2))
L = sum(losses)
---
L = 0.0
for t, x_t in enumerate(x):
    if t > 0:
        L += np.sum(x_t @ Wx) * t
---
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

P = softmax(X @ W1 @ W3)
L = -np.mean(np.log(P[:, 0]))
---
def dense(a, W, b):
    z = a @ W + b
    return z, np.tanh(z)

Z1, A1 = dense(X, W1, b1)
Z2, A2 = dense(A1, W2, b2)
L = np.sum(A2**2) + np.sum(Z1)
---
relu = lambda z: np.maximum(z, 0)
H = relu(X @ W1 + b1)
L = np.sum((relu(H @ W2) @ W3 - y)**2)
---
def loss(X, y, W1, W3, rate=0.1):
    '''Of a course.'''
    h = X @ W1
    h = np.maximum(h, 0)
    return np.mean((h @ W3 - y)**2) + rate * np.sum(W1**2), h
---
A = X
for l in range(1, 3):
    A = np.tanh(A @ W[l] + b[l])
L = np.sum((A @ W3 - y)**2)
---
t, L, limit = 0, 0, None
while t < 5:
    t += 1
    if limit is not None or t == 2:
        continue
    if t > 3 and X is not None:
        break
    L -= np.sum(X @ W1) * (1 if 0 < t <= 1 else 2)
---
def loss(X, y=None):
    scores = X @ self.params['W1'] @ self.params['W3']
    if y is None:
        return scores
    N = len(X)
    best = np.max(scores)
    data_loss = np.mean((scores - y)**2)
    return scores, data_loss, best
---
A, cache = X, {}
for l in range(1, 3):
    cache['Z' + str(l)] = A @ params['W' + str(l)] + params[f'b{l}']
    A = np.maximum(cache[f'Z{l}'], 0)
L = np.sum((A @ params['W3'] - y)**2)
---
A = X
L = len(parameters) // 2
for l in range(1, L):
    A = np.maximum(0, A @ parameters['W' + str(l)] + parameters['b' + str(l)])
L = np.sum((A @ parameters[f'W{L}'] - y)**2)
---
A = X
for W, b in [(W1, b1), (W2, b2)]:
    A = np.tanh(A @ W + b)
L = np.sum(A**2)
---
H = X @ W1 + b1
H[H < 0] = 0
L = np.sum((H @ W3 - y)**2)
---
scores = np.maximum(X @ W1, 0) @ W3
num_train = X.shape[0]
margins = np.maximum(0, scores - scores[np.arange(num_train), labels].reshape(-1, 1) + 1)
margins[np.arange(num_train), labels] = 0
loss = np.sum(margins) / num_train
---
margins = X @ W1 @ W3
margins[range(5), labels] = 1
loss = np.sum(margins**2)
---
out = X @ W1
out += b1
out *= 2
loss = np.mean(out**2)
loss += 0.5 * np.sum(W1**2)
print(loss)
---
data_loss = np.mean((X @ W1)**2)
loss = data_loss
loss += 0.1 * np.sum(W1**2)
L = loss + data_loss
---
import numpy as np

H = np.tanh(X @ W1)
return ((H @ W3 - y)**2).sum()
---
windows = [image[i:i + 2, j:j + 2] for i in range(3) for j in range(3) if i != j]
L = sum(np.sum(w * kernel)**2 for w in windows) * scale
---
Hs = [np.tanh(x_t @ Wx) for x_t in x]
L = np.sum(np.concatenate(Hs[1:], axis=0))
---
h = h0
for _ in range(2):
    for t in reversed(range(2)):
        h = h * 0.5 + x[-1] @ Wx * (1 if t else -1)
L = h.sum()
---
h1 = h0
h = h1 @ Wh
h = h @ Wh
L = np.sum(h + h1)
---
W = X @ W1
W = np.tanh(W)
h1 = W @ W2
h = h1 * 2
h = h + h1
L = np.sum(h)
---
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def step(x, h, c):
    z = np.concatenate([h, x], axis=1)
    forget, keep = sigmoid(z @ V), sigmoid(z @ V + bh)
    c = forget * c + keep * np.tanh(z @ V)
    return np.tanh(c), c

h, c = h0, h0
for t in range(x.shape[0]):
    h, c = step(x[t], h, c)
loss = np.mean((h @ Wy - y)**2)
---
def softmax(z):
    e = np.exp(z - np.max(z, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)

def attention(Q, K, values):
    '''Of one head.'''
    scores = Q @ K.T / np.sqrt(K.shape[-1])
    return softmax(scores) @ values

heads = []
for i in range(2):
    heads.append(attention(X @ Ws[i], X @ W1, X @ Ws[1 - i]))
out = np.concatenate(heads, axis=-1) @ V2
L = np.sum((out - y)**2)
---
class_scores = X @ W1
names = ['Wx', 'Wy']
reg = 0
for name in names:
    reg += np.sum(params[name]**2)
L = np.sum(class_scores) + 0.1 * reg
""")
# What cannot be followed, or would come to something else, as where A changes with B.
LEFT = parted("""
while True:
    H = X @ W1
L = np.sum(H)
---
H = X @ W1
if np.sum(H) > 0:
    H = -H
L = np.sum(H)
---
class Net:
    pass
L = np.sum(X @ W1)
---
A = X @ W1
B = A
B += 1
L = np.sum(A)
---
A = X @ W1
B = A[0]
A += 1
L = np.sum(B)
---
A = X @ W1
B = A.T
B *= 2
L = np.sum(A)
---
A = X @ W1
kept = [A]
A += 1
L = np.sum(kept[0])
---
def f(a):
    a += 1
    return a

A = X @ W1
B = f(A)
L = np.sum(A * B)
---
h = h0
h += 1
L = np.sum(h @ Wh + h0)
---
P = X @ W1
P[np.arange(5), places] -= 1
L = np.sum(P)
---
A = X
for l in range(2):
    A = A @ W[l]
L = np.sum(A)
---
def f(a):
    return f(a)

L = f(X @ W1)
---
for t in range(1000):
    h = X @ W1
L = np.sum(h)
---
def f(*a):
    return a[0]

L = np.sum(f(X @ W1))
---
L = sum(np.sum(row) for row in X @ W1)
---
__0__ = X @ W1
for t in range(2):
    A = __0__
L = np.sum(A)
---
H = (X @ W1).sum()
H = 'text' if H else None
L = H
""")
# Where Python and a text that is read too quickly part ways: no lines, or the right ones.
TRAPS = parted("""
L = 0
for i, a in enumerate([1.0, 2.0], start=1):
    L += np.sum(x @ W) * i
---
def f(x, y):
    h = np.tanh(x @ W)
    loss = np.mean((h - y)**2)
    norm = np.sum(h**2)
    return loss, norm
L = f(x, y)[0]
---
H = x @ W
H[k > 0] = 0
L = np.sum(H)
---
H = x @ W
H[x[:, 0] < 0] = 0
L = np.sum(H)
---
H = x @ W
H[H < 0] = 0.1 * H[H < 0]
L = np.sum(H)
---
L = np.sum((x @ params['W'] - x @ target['W'])**2) + np.sum(W)
---
n = 0
for t in range(2):
    n += (x > 0)
L = np.sum(n * (x @ W))
---
a = c = x @ W
a += 1
L = np.sum(a) + np.sum(c)
---
H = x @ W
def clamp():
    H[H < 0] = 0
    return 1
n = clamp()
L = np.sum(H) * n
---
p = (x @ W, 1)
a = p[0]
a += 1
L = np.sum(p[0])
---
H = x @ W
p = (H[0], 1)
H += 1
L = np.sum(p[0])
---
L = 0
for a in [x @ W] * 2:
    a += 1
    L += np.sum(a**2)
---
H, L = x @ W, 0
for v in [H[0], H[1]]:
    H += 1
    L += np.sum(v)
---
H, L = x @ W, 0
for v in [x * 2, H]:
    H += 1
    L += np.sum(v * v)
---
def make(h):
    return lambda: h
H = x @ W
f = make(H)
H += 1
L = np.sum(f() * H)
---
a = [x @ W]
g = a
a += [x]
L = np.sum(g[-1])
---
a = [x @ W]
g = a
a *= 2
L = sum(np.sum(each) for each in g)
---
k = 2
def f(h, s=k):
    return h * s
k = 3
L = np.sum(f(x @ W))
---
def f(h, acc=[]):
    acc.append(h)
    return sum(acc)
L = np.sum(f(x @ W)) + np.sum(f(x))
---
fs = [lambda h: h * i for i in range(3)]
L = np.sum(fs[0](x @ W))
---
g = (x @ W * i for i in range(3))
L = np.sum(sum(g)) + np.sum(sum(g))
---
z = zip([x, y], [W, W1])
L = sum(np.sum(a @ b) for a, b in z) + sum(np.sum(a) for a, b in z)
---
z = reversed([x, y])
L = sum(np.sum(a @ W) for a in z) + sum(np.sum(a) for a in z)
---
hs = [x @ W]
for h in hs:
    if len(hs) < 4:
        hs.append(h @ W)
L = np.sum(hs[-1])
---
dd = {"a": x @ W}
ks = dd.keys()
dd["c"] = x
L = np.sum(dd["a"]) * len(ks)
---
a, e = [1], [1]
L = np.sum(x @ W) * (2 if a is e else 3)
---
t = 1
L = np.sum(x @ W) * (2 if t is True else 3)
---
H = np.arange(4) * 2
H[H < 3] = 0.5
L = np.sum(H) + np.sum(x @ W)
---
def dense(x, W):
    return x @ W + 1
def net(x):
    x = x / 255
    return dense(x, W) + np.sum(x)
L = np.sum(net(x * 2))
---
xs = []
xs.append(x @ W)
L = np.sum(xs[0])
---
N = len(x)
s = x @ W
n = s[range(N), range(N - 1)[0]]
L = np.sum(n)
---
sum = 3
L = np.sum(x @ W) * sum
for t in range(2):
    L = L * sum
---
def len(a):
    return 5
L = np.sum(x @ W) * len(x)
---
L = 0 - np.sum(x @ W)
for t in range(2):
    L -= (t * np.sum(x) + -1.5)
---
h = x @ W
for t in range(2):
    h = h * (h @ W) @ W1 / 2 @ W
L = np.sum(h)
---
f = {"tanh": np.tanh, "half": lambda z: z / 2}
L = np.sum(f["tanh"](f["half"](x @ W)))
---
r = 1
for t in range(2):
    r = r * 1.5
    if r > 2.0 or t == 5:
        r = r + 1
L = np.sum(x @ W) * r
---
m = (x > 0) + (x > 1)
L = 0 + np.sum(m * (x @ W))
for t in range(1):
    L = 0 + L
---
def f(z):
    z *= 2
    return z
L = np.sum(f(x @ W)) + np.sum(f(x * 1))
---
A = x @ W
B = A.reshape(-1)
def twice(a):
    a *= 2
    return np.sum(a)
L = twice(A) + np.sum(B)
---
H = x @ W
_ = np.add(H, 1, out=H)
for t in range(2):
    H = H * 2
L = np.sum(H)
---
H = x @ W
n = H.sort()
for t in range(2):
    H = H * 2
L = np.sum(H[0])
---
W2 = W
W2 = W2 @ W1
L = np.sum(x @ W2) + np.sum(W[1]) * np.sum(W)
""")
BOMBS = [
    *parted("""
s = 'ab'
for t in range(50):
    s = s + s
L = np.sum(W1)
---
n = 99
for t in range(50):
    n = n * n
L = np.sum(W1) * n
---
s = 'ab' * 999999999
for t in range(2):
    L = np.sum(W1)
---
s = [0] * 999999999
for t in range(2):
    L = np.sum(W1)
---
s = '%999999999d' % 5
for t in range(2):
    L = np.sum(W1)
---
def f(a):
    return f(f(a) + f(a))

L = f(np.sum(W1))
---
for a in range(50):
    for b in range(50):
        for c in range(50):
            for d in range(50):
                pass
L = np.sum(W1)
---
n = 9**9**9**9
for t in range(2):
    L = np.sum(W1) * n
"""),
    "f = lambda a: a\nL = " + "f(" * 80 + "np.sum(W1)" + ")" * 80,
]


def in_python(text):
    """The loss that Python itself finds, and what it has to give."""
    names = {name: value.copy() for name, value in GIVEN.items()}
    parameters = {name: names[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3")}
    names |= {"np": np, "params": GIVEN, "parameters": parameters, "self": SimpleNamespace(params=GIVEN), "print": str}
    if "W[l]" in text:
        names |= {"W": {1: GIVEN["W1"], 2: GIVEN["W2"]}, "b": {1: GIVEN["b1"], 2: GIVEN["b2"]}}
    if "\nreturn" in text:
        text = "def loss(X, y):\n    " + text.replace("\n", "\n    ")
    exec(text, names)
    loss = names["L"] if "L" in names else names["loss"]
    if callable(loss):
        loss = loss(*(names[name] for name in inspect.signature(loss).parameters if name in names))
    return next(each for each in loss if np.ndim(each) == 0) if isinstance(loss, tuple) else loss


def offered(text, given=GIVEN):
    """The lines that an error offers; "" where it offers none."""
    learnt = {name: value for name, value in given.items() if name in PARAMETERS}
    with pytest.raises(ValueError) as error:  # noqa: PT011  what it says is what is asked
        program(text, learnt, {name: value for name, value in given.items() if name not in learnt})
    return str(error.value).partition("Written out, your lines are:\n\n")[2].partition("\n\nIn these, ")[0]


def lines_of(text, shapes):
    """The same without a program, of what has these shapes."""
    try:
        return written_out(text, shapes)
    except UnclearError:
        return ""


def made_of(lines, parameters=PARAMETERS):
    """The program of lines, with those parameters that they use."""
    used = {node.id for node in ast.walk(ast.parse(lines)) if isinstance(node, ast.Name)}
    learnt = {name: GIVEN[name] for name in parameters if name in used}
    return program(lines, learnt, {name: value for name, value in GIVEN.items() if name not in parameters})


@pytest.mark.parametrize("text", FOLLOWED)
def test_the_lines_that_are_offered_give_the_loss_that_python_gives(text):
    t = trace(made_of(offered(text)))
    assert t[t.problem.loss_name] == in_python(text)


def test_the_lines_that_are_offered_are_what_somebody_has_read():
    check_said("written_out", {text: offered(text) for text in FOLLOWED})


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("text", TRAPS)
def test_where_python_does_what_one_overlooks_the_loss_is_pythons_or_no_lines_are_offered(text):
    draw = np.random.default_rng(0).standard_normal
    given = {name: draw(shape) for name, shape in {"x": (4, 3), "y": (4, 3), "W": (3, 3), "W1": (3, 3), "k": 4}.items()}
    names, again = ({"np": np} | {name: value.copy() for name, value in given.items()} for _ in range(2))
    names |= {"params": dict(names), "target": {"W": names["W"] + 1}}
    exec(text, names)
    if lines := lines_of(text, {name: value.shape for name, value in given.items()}):
        exec(lines, again)
        assert again[lines.splitlines()[-1].partition(" = ")[0]] == names["L"], lines


@pytest.mark.parametrize("text", LEFT)
def test_where_a_text_cannot_be_followed_no_lines_are_offered(text):
    assert offered(text) == ""


def test_what_keeps_lines_from_being_written_out_is_named_where_it_is_not_what_is_refused():
    text = "def f(a):\n    return np.tanh(a)\n\nH = f(X @ W1)\nH[0] = 1\nL = np.sum(H)"
    with pytest.raises(ValueError, match=re.escape("line 1, `def f(a):`: a function")) as error:
        program(text, {"W1": GIVEN["W1"]}, {"X": GIVEN["X"]})
    assert str(error.value).endswith("Your lines could not be written out for you because of line 5, `H[0] = 1`")
    with pytest.raises(ValueError, match="in place") as error:
        program("H = X @ W1\nH[0] = 1\nL = np.sum(H)", {"W1": GIVEN["W1"]}, {"X": GIVEN["X"]})
    assert "written out" not in str(error.value)


@pytest.mark.parametrize("text", BOMBS)
def test_what_would_never_end_or_fill_the_memory_is_left_at_once(text):
    start = time.process_time()
    offered(text)
    assert time.process_time() - start < 1


def test_lines_that_need_nothing_written_out_are_refused_as_they_are():
    assert offered("L = np.sum(X @ W9)") == ""
    assert lines_of("L = np.sum(X @ W1)", SHAPES) == ""


@pytest.mark.parametrize(
    "name", [name for name in PROGRAMS if not any(" for " in line for line in PROGRAMS[name]["lines"])]
)
def test_a_program_put_into_a_function_comes_out_as_it_was(name):
    learnt, data = given_of(name)
    p = program(PROGRAMS[name]["lines"], learnt, data)
    body = "\n".join(f"    {line}" for line in PROGRAMS[name]["lines"])
    shapes = {name: value.shape for name, value in (learnt | data).items()}
    lines = lines_of(f"def forward():\n{body}\n    return {p.loss_name}", shapes)
    t, again = trace(p), trace(program(lines, learnt, data))
    assert again[again.problem.loss_name] == t[p.loss_name]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # some overflow
def test_of_random_texts_the_lines_that_are_offered_give_the_loss_that_python_gives():
    """As far as they run. Many change an array in place that has another name, or is a part of one."""
    shapes = {name: value.shape for name, value in random_texts.GIVEN.items()}
    ran, offers = 0, 0
    for seed in range(count(20_000, 40)):
        text = RandomText.of_seed(seed)
        names, again = ({"np": np} | {name: each.copy() for name, each in random_texts.GIVEN.items()} for _ in range(2))
        names["params"] = Parameters(W1=names["W1"], W2=names["W2"])
        try:
            exec(text, names)
        except (NameError, ValueError):
            continue
        ran += 1
        if lines := lines_of(text, shapes):
            offers += 1
            exec(lines, again)
            loss = again[lines.splitlines()[-1].partition(" = ")[0]]
            np.testing.assert_array_equal(loss, names["L"], err_msg=f"{seed}:\n{text}")
    assert offers > ran / 3
    print(f"lines are offered for {offers} of {ran} random texts")  # noqa: T201


def test_whatever_is_typed_lines_are_offered_or_none():
    """Texts with a few characters or words put in or taken out."""
    rng, offers = np.random.default_rng(0), 0
    words = [*"()[]{}.,:;=+-*/@%&|~<>!'\"\\ \n\t#0129ejxwvT_", "np.", "[None]", "len(", "range(", "zip(", "enumerate("]
    words += ["lambda", " for ", " if ", "...", "1j", "[-1]", "None", "**", "h", "A", "'a'", ", 1"]
    for _ in range(count(40_000, 40)):
        text = rng.choice(FOLLOWED + LEFT)
        for _ in range(rng.integers(1, 4)):
            at = rng.integers(len(text))
            text = text[:at] + words[rng.integers(len(words))] + text[at + rng.integers(0, 3) :]
        offers += bool(lines_of(text, SHAPES))
    assert offers > count(40_000, 40) / 50
