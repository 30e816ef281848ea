"""Modules of PyTorch as programs: their gradients beside autograd's, and what has no line is named."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tables import Bar, as_json, show_bars, show_table
from torch import nn
from torch.nn import functional

from backprop_lab import from_torch, prove, trace

NEAR = {torch.float32: 1e-6, torch.float64: 1e-12}  # of the largest number of all gradients of a module


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.norm, self.out = nn.Linear(4, 6), nn.Linear(6, 4), nn.LayerNorm(4), nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.norm(x + self.b(torch.relu(self.a(x)))))


class Recurrent(nn.Module):
    """Three steps of a cell, the first with nothing remembered."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.cell, self.out, self.has_two = kind(4, 5), nn.Linear(5, 3), kind is nn.LSTMCell

    def forward(self, x: Any) -> Any:
        state = self.cell(x)
        for scale in (0.5, 2):
            state = self.cell(x * scale, state)
        return self.out(state[0] if self.has_two else state)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(4, 5, bias=False) for _ in range(3))
        self.scale = nn.Parameter(torch.tensor(0.7))

    def forward(self, x: Any) -> Any:
        q, k, v = self.q(x), self.k(x), self.v(x)
        scores = q @ k.transpose(-2, -1) / q.size(-1) ** 0.5
        hidden = torch.tril(torch.ones_like(scores)) == 0
        return self.scale * (functional.softmax(scores.masked_fill(hidden, float("-inf")), dim=-1) @ v)[:, :3]


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.out = nn.Embedding(7, 4), nn.Linear(8, 3)

    def forward(self, words: Any) -> Any:
        vectors = self.table(words)
        return self.out(vectors.view(vectors.shape[0], -1))


class Gated(nn.Module):
    """Parts of a value, a parameter of its own, a buffer, and what is joined again."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.w = nn.Linear(4, 8), nn.Parameter(torch.randn(4, 2))
        self.register_buffer("shift", torch.randn(2))

    def forward(self, x: Any) -> Any:
        a, b = self.a(x).chunk(2, dim=1)
        return torch.cat([(a * torch.sigmoid(b)) @ self.w + self.shift, x[:, 1:2] - x.var(dim=1, keepdim=True)], dim=1)


def chain(*layers: Any) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6, bias=not isinstance(layers[0], nn.BatchNorm1d)), *layers, nn.Linear(6, 3))


MODULES: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "ReLU": (lambda: chain(nn.ReLU()), nn.MSELoss()),
    "tanh, GELU": (lambda: chain(nn.Tanh(), nn.Linear(6, 6), nn.GELU(approximate="tanh")), nn.CrossEntropyLoss()),
    "batch norm, dropout": (
        lambda: chain(nn.BatchNorm1d(6), nn.LeakyReLU(0.1), nn.Dropout(0.4)),
        functional.cross_entropy,
    ),
    "layer norm, SiLU": (lambda: nn.Sequential(nn.LayerNorm(4), chain(nn.SiLU()), nn.LogSoftmax(dim=1)), nn.NLLLoss()),
    "ELU": (lambda: chain(nn.ELU()), nn.BCEWithLogitsLoss()),
    "softplus, sigmoid": (lambda: nn.Sequential(chain(nn.Softplus()), nn.Sigmoid()), nn.BCELoss()),
    "residual block": (Residual, nn.HuberLoss()),
    "RNN cell": (lambda: Recurrent(nn.RNNCell), nn.L1Loss()),
    "LSTM cell": (lambda: Recurrent(nn.LSTMCell), nn.CrossEntropyLoss(reduction="sum")),
    "GRU cell": (lambda: Recurrent(nn.GRUCell), lambda out, y: ((out - y) ** 2).sum() / y.shape[0]),
    "attention": (Attention, nn.MSELoss()),
    "word vectors": (Words, nn.CrossEntropyLoss()),
    "gated": (Gated, nn.MSELoss()),
}
X, WORDS = (
    [[0.3, -1.2, 0.8, 0.1], [1.1, 0.4, -0.5, 2.0], [-0.7, 0.9, 1.3, -0.2], [0.2, 0.6, -1.4, 0.5]],
    [[0, 1], [2, 2], [6, 3], [1, 5]],
)
LABELS, Y = [0, 2, 1, 1], [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]


def furthest(name: str, kind: torch.dtype) -> float:
    """How far any gradient of the program is from autograd's, of the largest number in all; each is proved as well."""
    make, loss = MODULES[name]
    torch.manual_seed(0)
    module = make().to(kind)
    x = torch.tensor(WORDS) if name == "word vectors" else torch.tensor(X, dtype=kind)
    is_of_classes = loss is functional.cross_entropy or isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss)
    y = torch.tensor(LABELS) if is_of_classes else torch.tensor(Y, dtype=kind)
    before = {path: value.clone() for path, value in module.state_dict().items()}
    torch.manual_seed(7)
    program = from_torch(module, x, y, loss)
    assert all(torch.equal(before[path], value) for path, value in module.state_dict().items())
    torch.manual_seed(7)  # so that it drops the same
    loss(module.train()(x), y).backward()
    t, off = trace(program), 0.0
    largest = max(float(parameter.grad.abs().max()) for parameter in module.parameters())
    for ours, (path, theirs) in zip(program.parameters, module.named_parameters(), strict=True):
        found, right = t[f"d{ours}"], theirs.grad.numpy()
        assert found.dtype == right.dtype, f"{name}: {path} is of another kind"
        assert prove(t, f"d{ours}").agrees is not False
        off = max(off, float(np.max(np.abs(found - right))) / largest)
    return off


class Conditional(nn.Module):
    def forward(self, x: Any) -> Any:
        return x if x.sum() > 0 else -x


class Held(nn.Module):
    """A part of it is held back: from the gradient of one layer, or of one word."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.a, self.table, self.options = nn.Linear(4, 3), nn.Embedding(7, 3, **options), options

    def forward(self, x: Any) -> Any:
        if self.options:
            return self.a(x) + self.table(torch.tensor([0, 1, 0, 2]))
        with torch.no_grad():
            a = self.a(x)
        return self.a(x) * a + self.table(torch.tensor([0, 1, 0, 2]))


REFUSED = {  # a module, a loss, and what is named
    "Conv1d(4, 2, kernel_size=(1,), stride=(1,))": (nn.Sequential(nn.Conv1d(4, 2, 1)), None),
    "GELU(approximate='tanh')": (chain(nn.GELU()), None),
    "the module, LSTM(4, 3)": (nn.LSTM(4, 3), None),
    "torch.fx cannot trace the module, Conditional": (Conditional(), None),
    "cross_entropy with label_smoothing": (chain(nn.ReLU()), nn.CrossEntropyLoss(label_smoothing=0.1)),
    "must give one number": (chain(nn.ReLU()), nn.MSELoss(reduction="none")),
    "no line for cumsum": (chain(nn.ReLU()), lambda out, y: (out - y).cumsum(0).sum()),
    "float16": (chain(nn.ReLU()).half(), None),
    "got 'mse'": (chain(nn.ReLU()), "mse"),
    "dW1 of these lines is not the .grad": (Held(), None),
    "dW2 of these lines is not the .grad": (Held(padding_idx=0), None),
    "embedding with max_norm": (Held(max_norm=0.1), None),
    "softplus with threshold": (chain(nn.Softplus(threshold=0.1)), None),
    "linear stopped with RuntimeError": (nn.Linear(5, 3), None),
}


def named() -> float:
    """The share of what has no line that is refused by its name."""
    right = 0
    for name, (module, loss) in REFUSED.items():
        try:
            from_torch(module, torch.tensor(X), torch.tensor(Y), loss or nn.MSELoss())
        except ValueError as refused:
            right += name in str(refused)
    return right / len(REFUSED)


def main() -> dict[str, Any]:
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(1)
    rows = [[name, *(furthest(name, kind) for kind in NEAR)] for name in MODULES]
    show_table("How far gradients of modules are from autograd's", ["", "float32", "float64"], rows)
    bars = [
        Bar(f"{str(kind)[6:]}: gradients of {len(rows)} modules, as far from autograd's as", max(found), near)
        for (kind, near), found in zip(NEAR.items(), list(zip(*rows, strict=True))[1:], strict=True)
    ]
    bars.append(Bar("of what has no line, named", named(), 1.0, at_least=True))
    show_bars(bars)
    return {"rows": rows, "bars": as_json(bars)}


if __name__ == "__main__":
    main()
