"""Whether a step is what PyTorch makes of it: the gradients with each part, and 50 steps of each optimizer.

Left out is a bias directly before a BatchNorm: its gradient is rounding, which Adam makes as large as any other.
"""

from itertools import product
from typing import Any

import numpy as np
import torch
from tables import Bar, as_json, show_bars, show_table

import backprop_lab as ours
from backprop_lab import Linear, Network, Problem, random_problem, trace
from backprop_lab.step.random_problems import fitting

STEPS = 50
NEAR = 1e-12  # of the largest number of an array
LR, DECAY, C = 0.002, 0.1, 0.03  # a rate at which no run bounces, and its rounding with it

LAYERS = {  # what each of our layers is in PyTorch, of its parameters and what a step has drawn
    "ReLU": lambda X, _: torch.relu(X),
    "Tanh": lambda X, _: torch.tanh(X),
    "Sigmoid": lambda X, _: torch.sigmoid(X),
    "LeakyReLU": lambda X, _: torch.nn.functional.leaky_relu(X, 0.01),
    "GELU": lambda X, _: torch.nn.functional.gelu(X, approximate="tanh"),
    "Dropout": lambda X, own: X * own["mask"] / (1 - 0.5),  # theirs draws its own
    "BatchNorm": lambda X, own: torch.nn.functional.batch_norm(
        X, None, None, own["gamma"][0], own["beta"][0], training=True, eps=1e-5
    ),
    "LayerNorm": lambda X, own: torch.nn.functional.layer_norm(
        X, X.shape[-1:], own["gamma"][0], own["beta"][0], eps=1e-5
    ),
    "Linear": lambda X, own: X @ own["W"] + own.get("b", 0.0),
}
LOSSES = {
    "SumSquaredError": lambda y_pred, y: torch.nn.functional.mse_loss(y_pred, y, reduction="sum"),
    "HalfSquaredError": lambda y_pred, y: torch.nn.functional.mse_loss(y_pred, y, reduction="sum") / 2,
    "MeanSquaredError": torch.nn.functional.mse_loss,
    "SoftmaxCrossEntropy": torch.nn.functional.cross_entropy,
    "BinaryCrossEntropy": torch.nn.functional.binary_cross_entropy,
    "SigmoidCrossEntropy": torch.nn.functional.binary_cross_entropy_with_logits,
}
OPTIMIZERS = {
    "GradientDescent": lambda groups: torch.optim.SGD(groups, lr=LR),
    "Momentum": lambda groups: torch.optim.SGD(groups, lr=LR, momentum=0.9),
    "Nesterov": lambda groups: torch.optim.SGD(groups, lr=LR, momentum=0.9, nesterov=True),
    "Adam": lambda groups: torch.optim.AdamW(groups, lr=LR, eps=1e-8),
}


def problem_of(layer: str, loss: str, optimizer: str, decay: float, penalty: float) -> Problem:
    """A network with a layer of this kind between two Linear; one before a BatchNorm has no bias.

    Its numbers are small, so that no probability comes so near to 0 or 1 that PyTorch puts another in its place.
    """
    rng, kind = np.random.default_rng(0), getattr(ours, layer)
    first = Linear(rng.standard_normal((4, 5)) / 2, *([] if layer == "BatchNorm" else [rng.standard_normal((1, 5))]))
    rows = [rng.standard_normal((1, 5)) for _ in kind.learnt]
    made = {"Dropout": lambda: kind(0.5, seed=1), "Linear": lambda: kind(rng.standard_normal((5, 5)) / 2, rows[1])}
    layers = [first, made.get(layer, lambda: kind(*rows))(), Linear(rng.standard_normal((5, 3)) / 2, np.zeros((1, 3)))]
    of = getattr(ours, loss)()
    drawn = random_problem(2, 6, 4, (5,), 3, loss=of)
    parts: dict[str, Any] = {"penalty": ours.L2(penalty) if penalty else None}
    parts["optimizer"] = getattr(ours, optimizer)(decay=decay)
    return Problem(Network(fitting(layers, of)), of, drawn.X, drawn.y, LR, **parts)


def torch_loss(problem: Problem, parameters: dict[str, torch.Tensor], step: int) -> torch.Tensor:
    """The loss of the same step, written once more in PyTorch."""
    y_pred, drawn = torch.from_numpy(np.array(problem.X)), problem.drawn(step)
    masks = {place: torch.from_numpy(np.array(drawn[name])) for name, (*_, place) in problem.network.masks.items()}
    for place, stage in enumerate(problem.network.stages):
        own = {p: parameters[name] for p, name in stage.parameters.items()} | {"mask": masks.get(place)}
        y_pred = LAYERS[type(stage.layer).__name__](y_pred, own)
    loss = LOSSES[type(problem.loss).__name__](y_pred, torch.from_numpy(np.array(problem.y)))
    weights = [p for name, p in parameters.items() if name.startswith("W")]
    return loss + (C * sum((w**2).sum() for w in weights) if problem.penalty else 0.0)


def off(one: Any, other: Any) -> float:
    one, other = np.asarray(one), np.asarray(other)
    return float(np.max(np.abs(one - other)) / np.max(np.abs(one)))


def furthest(layer: str, loss: str, optimizer: str, decay: float, penalty: float) -> tuple[float, float]:
    """How far gradients of the first step, and parameters after the last, are from PyTorch's."""
    problem = problem_of(layer, loss, optimizer, decay, penalty)
    theirs = {name: torch.tensor(np.array(p), requires_grad=True) for name, p in problem.parameters.items()}
    decayed = [p for name, p in theirs.items() if name.startswith("W")]
    others = [p for name, p in theirs.items() if not name.startswith("W")]
    is_adam = optimizer == "Adam"
    groups = [{"params": decayed, **({"weight_decay": decay} if is_adam else {})}]
    groups.append({"params": others, **({"weight_decay": 0.0} if is_adam else {})})
    moves = OPTIMIZERS[optimizer](groups)
    right, gradients = trace(problem), 0.0
    for step in range(1, STEPS + 1):
        moves.zero_grad()
        torch_loss(problem, theirs, step).backward()
        if step == 1:
            gradients = max(off(right[f"d{name}"], p.grad) for name, p in theirs.items())
        if decay and not is_adam:
            with torch.no_grad():
                for p in decayed:
                    p *= 1 - LR * decay
        moves.step()
    trained = problem.trained([LR] * STEPS).parameters
    return gradients, max(off(trained[name], p.detach()) for name, p in theirs.items())


def main() -> dict[str, Any]:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    rows, worst = [], {"gradients": 0.0, "50 steps": 0.0}
    for optimizer in OPTIMIZERS:
        of = [
            furthest(layer, loss, optimizer, decay, penalty)
            for layer, loss in product(LAYERS, LOSSES)
            for decay, penalty in ((0.0, 0.0), (DECAY, C))
        ]
        gradients, steps = (max(each) for each in zip(*of, strict=True))
        rows.append([optimizer, gradients, steps])
        worst = {"gradients": max(worst["gradients"], gradients), "50 steps": max(worst["50 steps"], steps)}
    show_table("How far from PyTorch, with any layer, loss, decay and penalty", ["", *worst], rows)
    bars = [Bar(f"{what}, as far from PyTorch's as", x, NEAR) for what, x in worst.items()]
    show_bars(bars)
    return {"rows": rows, "bars": as_json(bars)}


if __name__ == "__main__":
    main()
