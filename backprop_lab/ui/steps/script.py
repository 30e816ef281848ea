"""The step on the board as a plain script: NumPy alone, the same numbers."""

from typing import Any

import numpy as np

from backprop_lab.trace import Step, Trace


def numpy_script(trace: Trace) -> str:
    """A script that computes and prints every value of `trace`; it needs NumPy 2 or later, for `.mT`."""
    lines = ["import numpy as np", ""]
    lines += [f"{name} = {_literal(value)}" for name, value in trace.given.items()]
    phase, known = "", set(trace.given)

    def write(step: Step) -> None:
        for operand in step.operands:  # a mistake may use what is computed only later
            if operand not in known:
                write(trace.step(operand))
        if step.name not in known:
            known.add(step.name)
            lines.extend([f"{step.name} = {step.code}", f'print("{step.name} =", {step.name}, sep="\\n")'])

    for step in trace.steps:
        if step.phase != phase:
            phase = step.phase
            lines += ["", f"# {phase}"]
        write(step)
    return "\n".join([*lines, ""])


def _literal(value: Any) -> str:
    """A value as source code that gives it back to the last bit."""
    if np.ndim(value) == 0:
        return repr(float(value))
    text = repr(np.asarray(value).tolist()).replace("nan", "np.nan").replace("inf", "np.inf")
    return f"np.array({text})"
