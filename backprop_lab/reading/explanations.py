"""What each of our lines of NumPy means: its formula in LaTeX, a title and a sentence.

A line that is not in the table, such as one from a layer of your own, gets a plain title; to explain it, add it here.
"""

import re
from typing import NamedTuple

from backprop_lab.nn.layers import Linear, ReLU, Sigmoid, Tanh
from backprop_lab.nn.losses import HalfSquaredError, MeanSquaredError, SoftmaxCrossEntropy, SumSquaredError
from backprop_lab.nn.optimizers import GradientDescent
from backprop_lab.nn.steps import Step


class Explanation(NamedTuple):
    """The words for a line. `{X}`, `{W}` ... stand for names, as in the line; other braces in `latex` are doubled."""

    latex: str
    title: str
    sentence: str


EXPLANATIONS = {
    Linear.formulas["Y"]: Explanation(
        r"{Y} = {X}\,{W} + {b}", "Weighted sums",
        "Each unit multiplies every sample's row of {X} by its own column of {W}, sums the products and adds its "
        "bias."),
    Linear.formulas["Y"].removesuffix(" + {b}"): Explanation(
        r"{Y} = {X}\,{W}", "Weighted sums",
        "Each unit multiplies every sample's row of {X} by its own column of {W}, and sums the products."),
    Linear.formulas["dX"]: Explanation(
        r"{dX} = {dY}\,{W}^{{\top}}", "Gradient for {X}",
        "{X} affects the loss through every output it feeds, so {dY} goes back through the same weights {W}, "
        "transposed."),
    Linear.formulas["dW"]: Explanation(
        r"{dW} = {X}^{{\top}}\,{dY}", "Gradient for {W}",
        "A weight's gradient is its input times its output's gradient, summed over the samples."),
    Linear.formulas["db"]: Explanation(
        r"{db} = \sum_n {dY}[n]", "Gradient for {b}",
        "A bias shifts its output by the same amount for every sample, so its gradient is the column sum of {dY}."),
    ReLU.formulas["Y"]: Explanation(
        r"{Y} = \max({X},\,0)", "ReLU",
        "A positive number passes through unchanged; a negative one becomes 0, and the unit is off for that sample."),
    ReLU.formulas["dX"]: Explanation(
        r"{dX} = {dY} \odot [{Y} > 0]", "Back through the ReLU",
        "Where the unit was on, the gradient passes through unchanged; where it was off, {X} had no effect, so its "
        "gradient is 0."),
    Tanh.formulas["Y"]: Explanation(
        r"{Y} = \tanh({X})", "Tanh",
        "Every number is squashed into the range from −1 to 1: large positive ones end up close to 1, large "
        "negative ones close to −1."),
    Tanh.formulas["dX"]: Explanation(
        r"{dX} = {dY} \odot (1 - {Y}^2)", "Back through the tanh",
        "The gradient is scaled by the slope of tanh, which is 1 where {Y} is 0 and approaches 0 where {Y} is near "
        "−1 or 1."),
    Sigmoid.formulas["Y"]: Explanation(
        r"{Y} = \frac{{1}}{{1 + e^{{-{X}}}}}", "Sigmoid",
        "Every number is squashed into the range from 0 to 1: large positive ones end up close to 1, large negative"
        " ones close to 0."),
    Sigmoid.formulas["dX"]: Explanation(
        r"{dX} = {dY} \odot {Y} \odot (1 - {Y})", "Back through the sigmoid",
        "The gradient is scaled by the slope of the sigmoid, which is at most 1/4 and approaches 0 where {Y} is "
        "near 0 or 1."),
    SumSquaredError.formulas["L"]: Explanation(
        r"{L} = \sum_{{n,k}} ({y_pred} - {y})^2", "Loss",
        "How wrong is the prediction? Square every difference from the target and add up all the squares."),
    SumSquaredError.formulas["dy_pred"]: Explanation(
        r"{dy_pred} = 2\,({y_pred} - {y})", "Gradient of the loss",
        "As an entry of {y_pred} grows, the loss grows at a rate of twice its difference from the target."),
    HalfSquaredError.formulas["L"]: Explanation(
        r"{L} = \frac{{1}}{{2}} \sum_{{n,k}} ({y_pred} - {y})^2", "Loss",
        "How wrong is the prediction? Square every difference from the target, add up all the squares and take half."),
    HalfSquaredError.formulas["dy_pred"]: Explanation(
        "{dy_pred} = {y_pred} - {y}", "Gradient of the loss",
        "As an entry of {y_pred} grows, the loss grows at a rate of its difference from the target: the 1/2 and the"
        " 2 from the square cancel."),
    MeanSquaredError.formulas["L"]: Explanation(
        r"{L} = \frac{{1}}{{NK}} \sum_{{n,k}} ({y_pred} - {y})^2", "Loss",
        "How wrong is the prediction? Square every difference from the target and take the mean of the squares."),
    MeanSquaredError.formulas["dy_pred"]: Explanation(
        r"{dy_pred} = \frac{{2}}{{NK}}\,({y_pred} - {y})", "Gradient of the loss",
        "As an entry of {y_pred} grows, the loss grows at a rate of twice its difference from the target, divided "
        "by the number of entries."),
    SoftmaxCrossEntropy.formulas["Z"]: Explanation(
        r"{Z}[n] = {y_pred}[n] - \max_k {y_pred}[n, k]", "Scores less the largest",
        "Only differences between the scores of a sample count, so its largest becomes 0, and no power of e "
        "overflows."),
    SoftmaxCrossEntropy.formulas["P"]: Explanation(
        r"{P} = \frac{{e^{{{Z}}}}}{{\sum_k e^{{{Z}[n, k]}}}}", "Probabilities, by the softmax",
        "Every score becomes a positive number, and each sample's row is divided by its sum, so that it adds up to 1."),
    SoftmaxCrossEntropy.formulas["logP"]: Explanation(
        r"{logP} = {Z} - \log \sum_k e^{{{Z}[n, k]}}", "Logarithms of the probabilities",
        "They are made from {Z}, not from {P}: a tiny probability may have been rounded to 0, which has no logarithm."),
    SoftmaxCrossEntropy.formulas["L"]: Explanation(
        r"{L} = -\frac{{1}}{{N}} \sum_{{n,k}} {y}\,{logP}", "Loss",
        "How surprising is the right class? Take minus the logarithm of its probability, and the mean over samples."),
    SoftmaxCrossEntropy.formulas["dy_pred"]: Explanation(
        r"{dy_pred} = \frac{{1}}{{N}}\,({P} - {y})", "Gradient of the loss",
        "As a score grows, the loss grows at a rate of its probability less its target, divided by the number of "
        "samples."),
    GradientDescent.formulas["new"]: Explanation(
        r"{new} = {p} - {lr}\,{dp}", "New {p}",
        "Take a step against the gradient, scaled by the learning rate."),
}  # fmt: skip


def explain(step: Step) -> Explanation:
    """The formula, title and sentence of a step, with its own names filled in; formula and sentence may be empty.

    For a planted mistake, the formula is the correct one, with its = crossed out; title and sentence are the mistake's.
    """
    found = EXPLANATIONS.get(step.template)
    latex, title, sentence = "", _plain_title(step), ""
    if found is not None and found.latex.startswith(f"{{{step.result}}}"):  # your own may make something else
        latex = found.latex.format_map({field: _in_latex(name) for field, name in step.names.items()})
        title, sentence = found.title.format_map(step.names), found.sentence.format_map(step.names)
    if step.title:
        return Explanation(latex.replace("=", r"\neq", 1), step.title, step.sentence)
    return Explanation(latex, title, sentence)


def _plain_title(step: Step) -> str:
    """The title of a line that is not in the table."""
    if step.phase == "loss":
        return "Loss" if step.result == "L" else f"{step.name}, a step toward the loss"
    if step.phase == "forward":
        return step.kind.__name__ if step.result == "Y" else f"{step.name}, a step toward {step.names['Y']}"
    if step.result == "dy_pred":
        return "Gradient of the loss"
    return f"Gradient for {step.of}" if step.of else f"{step.name}, in the backward pass"


def _in_latex(name: str) -> str:
    """dW1 -> dW_{1}, y_pred -> y_{pred}, W1_new -> W_{1}^{new}, logP -> log P; a number stays as it is."""
    if not name.isidentifier():
        return name
    name = re.sub(r"^log(?=[A-Z])", r"\\log ", name)
    name = re.sub(r"(\d+)", r"_{\1}", name)
    name = re.sub(r"_new$", r"^{\\mathrm{new}}", name)
    return name.replace("_pred", r"_{\mathrm{pred}}").replace("lr", r"\mathrm{lr}")
