"""What answers are often multiplied by: twice, half, a length, the learning rate."""

import re

import numpy as np

from backprop_lab.step.trace import Trace

SIZES = {"len", "shape", "size", "mean", "average"}  # in a line with a length in it
LENGTHS = r"by (twice )?(?!the learning|1 - )"  # in the words for a factor that is one


def common_factors(trace: Trace) -> dict[str, float]:
    """What answers are often multiplied by, each by words that say so."""
    counts, lr, optimizer = _counts(trace), float(trace["lr"]), vars(trace.problem.optimizer)
    betas = {f"1 - {name}": 1 - float(beta) for name, beta in optimizer.items() if name.startswith("beta") and beta}
    return {
        "doubled": 2.0,
        "halved": 0.5,
        "with the other sign": -1.0,
        **{f"divided by {what}": 1 / count for what, count in counts.items()},
        **{f"multiplied by {what}": float(count) for what, count in counts.items()},
        **{f"divided by twice {what}": 0.5 / count for what, count in counts.items()},
        **{f"multiplied by {what}": factor for what, factor in betas.items()},
        **{f"divided by {what}": 1 / factor for what, factor in betas.items()},
        "multiplied by the learning rate": lr,
        "divided by the learning rate": 1 / lr,
        "divided by the learning rate twice": 1 / lr / lr,
    }


def factors_beside(trace: Trace, name: str) -> dict[str, float]:
    """Those of them that may come with a mistake: leaving the rate out and dividing the step by it are one mistake.

    In a program a length is a factor of lines that have one in them: elsewhere it is some other number by chance.
    """
    step = next((each for each in trace.steps if each.name == name), None)
    has_length = not (step and step.paths) or SIZES.intersection(re.findall(r"\w+", step.code))
    out = ["rate"] * (trace.role(name) == "new") + [LENGTHS] * (not has_length)
    beside = {times: by for times, by in common_factors(trace).items() if by != 1}
    return {times: by for times, by in beside.items() if not any(re.search(each, times) for each in out)}


def _counts(trace: Trace) -> dict[str, int]:
    """What may be counted, in words: samples, or, where nobody knows which these are, the lengths of the data."""
    data = {name: np.shape(value) for name, value in trace.problem.data.items()}
    if len(data.get("X", ())) == len(data.get("y", ())) == 2:
        (samples, outputs), inputs = data["y"], data["X"][1]
        counts = {"samples": samples, "outputs": outputs, "targets": samples * outputs, "inputs": inputs}
        return {f"the number of {what}": count for what, count in counts.items()}
    found: dict[int, list[str]] = {}
    for name, shape in data.items():
        for axis, length in enumerate(shape):
            if length > 1:
                found.setdefault(length, []).append(f"{name}.shape[{axis}]" if axis else f"len({name})")
    return {whats[0] if len(whats) == 1 else str(length): length for length, whats in found.items()}
