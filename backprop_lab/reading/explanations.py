"""What each of our lines of NumPy means: its formula in LaTeX, a title and a sentence.

A line that is not in the table, such as one from a layer of your own, gets a plain title; to explain it, add it here.
"""

import re
from itertools import islice
from typing import NamedTuple

import numpy as np

from backprop_lab.nn.forms import of_form
from backprop_lab.nn.layers import GELU, BatchNorm, Dropout, LayerNorm, LeakyReLU, Linear, ReLU, Sigmoid, Tanh
from backprop_lab.nn.losses import (
    BinaryCrossEntropy,
    HalfSquaredError,
    MeanSquaredError,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SumSquaredError,
)
from backprop_lab.nn.optimizers import DECAY, Adam, GradientDescent, Momentum, Nesterov
from backprop_lab.nn.penalties import L2
from backprop_lab.nn.steps import Step
from backprop_lab.reading.by_form import of_line
from backprop_lab.reading.by_rule import of_gradient
from backprop_lab.step.written import OwnLine


class Explanation(NamedTuple):
    """The words for a line. `{X}`, `{W}` ... stand for names, as in the line; other braces in `latex` are doubled."""

    latex: str
    title: str
    sentence: str


EXPLANATIONS: dict[str | tuple[str, str], Explanation] = {  # by the line, or where several parts have it, by result too
    Linear.formulas["Y"]: Explanation(
        r"{Y} = {X}\,{W} + {b}",
        "Weighted sums",
        "Each unit multiplies every sample's row of {X} by its own column of {W}, sums the products and adds its bias.",
    ),
    Linear.formulas["Y"].removesuffix(" + {b}"): Explanation(
        r"{Y} = {X}\,{W}",
        "Weighted sums",
        "Each unit multiplies every sample's row of {X} by its own column of {W}, and sums the products.",
    ),
    Linear.formulas["dX"]: Explanation(
        r"{dX} = {dY}\,{W}^{{\top}}",
        "Gradient for {X}",
        "{X} affects the loss through every output it feeds, so {dY} goes back through the same weights {W}, "
        "transposed.",
    ),
    Linear.formulas["dW"]: Explanation(
        r"{dW} = {X}^{{\top}}\,{dY}",
        "Gradient for {W}",
        "A weight's gradient is its input times its output's gradient, summed over the samples.",
    ),
    Linear.formulas["db"]: Explanation(
        r"{db} = \sum_n {dY}[n]",
        "Gradient for {b}",
        "A bias shifts its output by the same amount for every sample, so its gradient is the column sum of {dY}.",
    ),
    ReLU.formulas["Y"]: Explanation(
        r"{Y} = \max({X},\,0)",
        "ReLU",
        "A positive number passes through unchanged; a negative one becomes 0, and the unit is off for that sample.",
    ),
    ReLU.formulas["dX"]: Explanation(
        r"{dX} = {dY} \odot [{Y} > 0]",
        "Back through the ReLU",
        "Where the unit was on, the gradient passes through unchanged; where it was off, {X} had no effect, so its "
        "gradient is 0.",
    ),
    Tanh.formulas["Y"]: Explanation(
        r"{Y} = \tanh({X})",
        "Tanh",
        "Every number is squashed into the range from −1 to 1: large positive ones end up close to 1, large negative "
        "ones close to −1.",
    ),
    Tanh.formulas["dX"]: Explanation(
        r"{dX} = {dY} \odot (1 - {Y}^2)",
        "Back through the tanh",
        "The gradient is scaled by the slope of tanh, which is 1 where {Y} is 0 and approaches 0 where {Y} is near −1 "
        "or 1.",
    ),
    Sigmoid.formulas["Y"]: Explanation(
        r"{Y} = \frac{{1}}{{1 + e^{{-{X}}}}}",
        "Sigmoid",
        "Every number is squashed into the range from 0 to 1: large positive ones end up close to 1, large negative "
        "ones close to 0.",
    ),
    Sigmoid.formulas["dX"]: Explanation(
        r"{dX} = {dY} \odot {Y} \odot (1 - {Y})",
        "Back through the sigmoid",
        "The gradient is scaled by the slope of the sigmoid, which is at most 1/4 and approaches 0 where {Y} is near 0 "
        "or 1.",
    ),
    LeakyReLU.formulas["Y"]: Explanation(
        r"{Y} = \max({X},\,{slope}\,{X})",
        "Leaky ReLU",
        "A positive number passes through unchanged; a negative one is made smaller, but the unit is never quite off.",
    ),
    LeakyReLU.formulas["dX"]: Explanation(
        r"{dX} = {dY} \odot [{Y} > 0] + {slope}\,{dY} \odot [{Y} \leq 0]",
        "Back through the leaky ReLU",
        "Where {X} was positive, the gradient passes through unchanged; elsewhere a part of {slope} of it does.",
    ),
    GELU.formulas["T"]: Explanation(
        r"{T} = \tanh(\sqrt{{2 / \pi}}\,({X} + 0.044715\,{X}^3))",
        "How far to let through",
        "Twice the chance that a standard normal number is below {X}, less 1, or nearly so.",
    ),
    GELU.formulas["Y"]: Explanation(
        r"{Y} = \frac{{1}}{{2}}\,{X} \odot (1 + {T})",
        "GELU",
        "Large positive numbers pass through, large negative ones become 0, and in between it goes over smoothly.",
    ),
    GELU.formulas["dX"]: Explanation(
        r"{dX} = {dY} \odot (\frac{{1}}{{2}}(1 + {T}) + \frac{{1}}{{2}}{X} \odot (1 - {T}^2) \odot \sqrt{{2 / \pi}}\,"
        r"(1 + 0.134145\,{X}^2))",
        "Back through the GELU",
        "{X} stands in both factors, so the slope has two parts: one with {T} as it is, one with the slope of {T}.",
    ),
    Dropout.formulas["Y"]: Explanation(
        r"{Y} = \frac{{{X} \odot {mask}}}{{1 - {p}}}",
        "Dropout",
        "The mask sets some numbers to 0, others in each step; the rest is divided by the share that stays.",
    ),
    Dropout.formulas["dX"]: Explanation(
        r"{dX} = \frac{{{dY} \odot {mask}}}{{1 - {p}}}",
        "Back through the dropout",
        "What was kept gets its gradient, divided in the same way; what was dropped had no effect, so it gets 0.",
    ),
    BatchNorm.formulas["mu"]: Explanation(
        r"{mu} = \frac{{1}}{{N}} \sum_n {X}[n]",
        "Mean of each unit over the batch",
        "Each column of {X} is added up and divided by the number of samples.",
    ),
    LayerNorm.formulas["mu"]: Explanation(
        r"{mu}[n] = \frac{{1}}{{H}} \sum_h {X}[n, h]",
        "Mean of each sample over its units",
        "Each row of {X} is added up and divided by the number of units.",
    ),
    BatchNorm.formulas["var"]: Explanation(
        r"{var} = \frac{{1}}{{N}} \sum_n ({X}[n] - {mu})^2",
        "Variance of each unit over the batch",
        "The mean of the squared distances from the mean, for each column.",
    ),
    LayerNorm.formulas["var"]: Explanation(
        r"{var}[n] = \frac{{1}}{{H}} \sum_h ({X}[n, h] - {mu}[n])^2",
        "Variance of each sample over its units",
        "The mean of the squared distances from the mean, for each row.",
    ),
    BatchNorm.formulas["Xhat"]: Explanation(
        r"{Xhat} = \frac{{{X} - {mu}}}{{\sqrt{{{var} + {eps}}}}}",
        "Normalised",
        "What is left has the mean 0 and nearly the spread 1; the {eps} keeps it from a division by 0.",
    ),
    BatchNorm.formulas["Y"]: Explanation(
        r"{Y} = {gamma} \odot {Xhat} + {beta}",
        "Scaled and shifted",
        "{gamma} and {beta} have a number for each unit, and are learned: so it can have any mean and spread again.",
    ),
    BatchNorm.formulas["dXhat"]: Explanation(
        r"{dXhat} = {dY} \odot {gamma}",
        "Gradient for {Xhat}",
        "Each number of {Xhat} was multiplied by the {gamma} of its unit, so its gradient is, too.",
    ),
    BatchNorm.formulas["dvar"]: Explanation(
        r"{dvar} = -\frac{{1}}{{2}} ({var} + {eps})^{{-3/2}} \sum_n {dXhat}[n] \odot ({X}[n] - {mu})",
        "Gradient for {var}",
        "A larger variance makes all of its column smaller, so what each number of it does to the loss is added up.",
    ),
    LayerNorm.formulas["dvar"]: Explanation(
        r"{dvar}[n] = -\frac{{1}}{{2}} ({var}[n] + {eps})^{{-3/2}} \sum_h {dXhat}[n, h] \odot ({X}[n, h] - {mu}[n])",
        "Gradient for {var}",
        "A larger variance makes all of its row smaller, so what each number of it does to the loss is added up.",
    ),
    BatchNorm.formulas["dmu"]: Explanation(
        r"{dmu} = -\frac{{1}}{{\sqrt{{{var} + {eps}}}}} \sum_n {dXhat}[n]",
        "Gradient for {mu}",
        "A larger mean shifts all of its column down. Through the variance it has no effect: there, the shifts cancel.",
    ),
    LayerNorm.formulas["dmu"]: Explanation(
        r"{dmu}[n] = -\frac{{1}}{{\sqrt{{{var}[n] + {eps}}}}} \sum_h {dXhat}[n, h]",
        "Gradient for {mu}",
        "A larger mean shifts all of its row down. Through the variance it has no effect: there, the shifts cancel.",
    ),
    BatchNorm.formulas["dX"]: Explanation(
        r"{dX} = \frac{{{dXhat}}}{{\sqrt{{{var} + {eps}}}}} + \frac{{2}}{{N}}\,{dvar} \odot ({X} - {mu}) "
        r"+ \frac{{1}}{{N}}\,{dmu}",
        "Gradient for {X}, along three paths",
        "Each number of {X} counts in its own place, in the variance and in the mean of its column: all three add up.",
    ),
    LayerNorm.formulas["dX"]: Explanation(
        r"{dX} = \frac{{{dXhat}}}{{\sqrt{{{var} + {eps}}}}} + \frac{{2}}{{H}}\,{dvar} \odot ({X} - {mu}) "
        r"+ \frac{{1}}{{H}}\,{dmu}",
        "Gradient for {X}, along three paths",
        "Each number of {X} counts in its own place, in the variance and in the mean of its row: all three add up.",
    ),
    BatchNorm.formulas["dgamma"]: Explanation(
        r"{dgamma} = \sum_n {dY}[n] \odot {Xhat}[n]",
        "Gradient for {gamma}",
        "A scale's gradient is what it scales times the gradient of what comes out, added up over the samples.",
    ),
    ("dbeta", BatchNorm.formulas["dbeta"]): Explanation(
        r"{dbeta} = \sum_n {dY}[n]",
        "Gradient for {beta}",
        "It shifts its unit by the same amount for every sample, so its gradient is the column sum of {dY}.",
    ),
    SumSquaredError.formulas["L"]: Explanation(
        r"{L} = \sum_{{n,k}} ({y_pred} - {y})^2",
        "Loss",
        "How wrong is the prediction? Square every difference from the target and add up all the squares.",
    ),
    SumSquaredError.formulas["dy_pred"]: Explanation(
        r"{dy_pred} = 2\,({y_pred} - {y})",
        "Gradient of the loss",
        "The slope of the loss for each prediction is twice ({y_pred} − {y}).",
    ),
    HalfSquaredError.formulas["L"]: Explanation(
        r"{L} = \frac{{1}}{{2}} \sum_{{n,k}} ({y_pred} - {y})^2",
        "Loss",
        "How wrong is the prediction? Square every difference from the target, add up all the squares and take half.",
    ),
    HalfSquaredError.formulas["dy_pred"]: Explanation(
        r"{dy_pred} = {y_pred} - {y}",
        "Gradient of the loss",
        "The slope of the loss for each prediction is {y_pred} − {y}: the 1/2 and the 2 from the square cancel.",
    ),
    MeanSquaredError.formulas["L"]: Explanation(
        r"{L} = \frac{{1}}{{NK}} \sum_{{n,k}} ({y_pred} - {y})^2",
        "Loss",
        "How wrong is the prediction? Square every difference from the target and take the mean of the squares.",
    ),
    MeanSquaredError.formulas["dy_pred"]: Explanation(
        r"{dy_pred} = \frac{{2}}{{NK}}\,({y_pred} - {y})",
        "Gradient of the loss",
        "The slope of the loss for each prediction is twice ({y_pred} − {y}), divided by the number of entries.",
    ),
    SoftmaxCrossEntropy.formulas["Z"]: Explanation(
        r"{Z}[n] = {y_pred}[n] - \max_k {y_pred}[n, k]",
        "Scores minus the row maximum",
        "Only differences between the scores of a sample count, so its largest becomes 0, and no power of e overflows.",
    ),
    SoftmaxCrossEntropy.formulas["P"]: Explanation(
        r"{P} = \frac{{e^{{{Z}}}}}{{\sum_k e^{{{Z}[n, k]}}}}",
        "Softmax probabilities",
        "Every score becomes a positive number, and each sample's row is divided by its sum, so that it adds up to 1.",
    ),
    SoftmaxCrossEntropy.formulas["logP"]: Explanation(
        r"{logP} = {Z} - \log \sum_k e^{{{Z}[n, k]}}",
        "Logarithms of the probabilities",
        "They are made from {Z}, not from {P}: a tiny probability may have been rounded to 0, which has no logarithm.",
    ),
    SoftmaxCrossEntropy.formulas["L"]: Explanation(
        r"{L} = -\frac{{1}}{{N}} \sum_{{n,k}} {y}\,{logP}",
        "Loss",
        "How surprising is the right class? Take minus the logarithm of its probability, and the mean over samples.",
    ),
    SoftmaxCrossEntropy.formulas["dy_pred"]: Explanation(
        r"{dy_pred} = \frac{{1}}{{N}}\,({P} - {y})",
        "Gradient of the loss",
        "The slope of the loss for each score is (probability − target), divided by the number of samples.",
    ),
    BinaryCrossEntropy.formulas["logP"]: Explanation(
        r"{logP} = \log {y_pred}",
        "Logarithms of the probabilities of a yes",
        "Near 0 where the network is sure of a yes, and far below where it is sure of a no.",
    ),
    BinaryCrossEntropy.formulas["logQ"]: Explanation(
        r"{logQ} = \log (1 - {y_pred})",
        "Logarithms of the probabilities of a no",
        "Near 0 where the network is sure of a no, and far below where it is sure of a yes.",
    ),
    BinaryCrossEntropy.formulas["L"]: Explanation(
        r"{L} = -\frac{{1}}{{NK}} \sum_{{n,k}} ({y}\,{logP} + (1 - {y})\,{logQ})",
        "Loss",
        "How surprising are the right answers? Take minus the logarithm of the probability of each, and the mean.",
    ),
    BinaryCrossEntropy.formulas["dy_pred"]: Explanation(
        r"{dy_pred} = \frac{{1}}{{NK}}\,\frac{{{y_pred} - {y}}}{{{y_pred} \odot (1 - {y_pred})}}",
        "Gradient of the loss",
        "As a probability grows, the loss falls where the answer is yes and grows where it is no.",
    ),
    SigmoidCrossEntropy.formulas["P"]: Explanation(
        r"{P} = \frac{{1}}{{1 + e^{{-{y_pred}}}}}",
        "Sigmoid probabilities",
        "Every score becomes the probability of a yes: 0 stands for one half.",
    ),
    SigmoidCrossEntropy.formulas["logP"]: Explanation(
        r"{logP} = -\log (e^0 + e^{{-{y_pred}}})",
        "Logarithms of the probabilities of a yes",
        "They are made from the scores, not from P, which may have been rounded to 0, and 0 has no logarithm.",
    ),
    SigmoidCrossEntropy.formulas["logQ"]: Explanation(
        r"{logQ} = -\log (e^0 + e^{{{y_pred}}})",
        "Logarithms of the probabilities of a no",
        "A no has the probability 1 − P; its logarithm, too, is made from the scores.",
    ),
    SigmoidCrossEntropy.formulas["dy_pred"]: Explanation(
        r"{dy_pred} = \frac{{1}}{{NK}}\,({P} - {y})",
        "Gradient of the loss",
        "The slope of the loss for each score is (probability − target), divided by the number of scores.",
    ),
    L2.formulas["R"]: Explanation(
        r"{R} = {c} \sum w^2",
        "Penalty",
        "The squares of all weights are added up: large weights cost something. Biases are left out.",
    ),
    # What is added to a line, with its sign
    L2.formulas["dp"]: Explanation(
        r" + 2 \cdot {c}\,{p}", "", "The penalty adds its own slope, which pulls each weight towards 0."
    ),
    "{R}": Explanation(r" + {R}", "", "The penalty is added."),
    DECAY: Explanation(
        r" - {lr} \cdot {decay}\,{p}", "", "The decay takes a part of the weights off, beside the step."
    ),
    Momentum.formulas["v_new"]: Explanation(
        r"{v_new} = {beta}\,{v} + {dp}",
        "Velocity for {p}",
        "What is left of the velocity of the step before, and the new gradient on top.",
    ),
    Momentum.formulas["new"]: Explanation(
        r"{new} = {p} - {lr}\,{v_new}",
        "New {p}",
        "Take a step against the velocity, in which older gradients still count, scaled by the learning rate.",
    ),
    Nesterov.formulas["new"]: Explanation(
        r"{new} = {p} - {lr}\,({dp} + {beta}\,{v_new})",
        "New {p}",
        "Take a step as if the same gradient came once more, scaled by the learning rate.",
    ),
    Adam.formulas["m_new"]: Explanation(
        r"{m_new} = {beta1}\,{m} + (1 - {beta1})\,{dp}",
        "Mean gradient for {p}",
        "A mean of the gradients so far, in which older ones count less and less.",
    ),
    Adam.formulas["v_new"]: Explanation(
        r"{v_new} = {beta2}\,{v} + (1 - {beta2})\,{dp}^2",
        "Mean squared gradient for {p}",
        "A mean of the squares of the gradients so far, which has a longer memory.",
    ),
    Adam.formulas["mhat"]: Explanation(
        r"{mhat} = \frac{{{m_new}}}{{1 - {beta1}^{{{step}}}}}",
        "Mean gradient, corrected",
        "The mean began at 0, so at first it is too small by this factor, which comes to 1 as steps go by.",
    ),
    Adam.formulas["vhat"]: Explanation(
        r"{vhat} = \frac{{{v_new}}}{{1 - {beta2}^{{{step}}}}}",
        "Mean squared gradient, corrected",
        "The mean began at 0, so at first it is too small by this factor, which comes to 1 as steps go by.",
    ),
    Adam.formulas["new"]: Explanation(
        r"{new} = {p} - \frac{{{lr}\,{mhat}}}{{\sqrt{{{vhat}}} + {eps}}}",
        "New {p}",
        "Take a step of about the learning rate for each number, shorter where its gradients were not of one sign.",
    ),
    GradientDescent.formulas["new"]: Explanation(
        r"{new} = {p} - {lr}\,{dp}",
        "New {p}",
        "Take a step against the gradient, scaled by the learning rate.",
    ),
}


SHORT = re.compile(r"d?[A-Za-z]{1,3}\d*|d?y_pred")  # names that look in a formula as they do in a book
OWN_NUMBERS = ("slope", "eps", "p")


def explain(step: Step) -> Explanation:
    """The formula, title and sentence of a step, with its own names filled in; formula and sentence may be empty.

    For a planted mistake, the formula is the correct one, with its = crossed out; title and sentence are the mistake's.
    """
    found = EXPLANATIONS.get((step.result, step.template)) or EXPLANATIONS.get(step.template)
    latex, (title, sentence) = _formula(step), _plain_words(step)
    if found is not None and found.latex.startswith(f"{{{step.result}}}"):  # your own may make something else
        latex = found.latex.format_map({field: _in_latex(name) for field, name in step.names.items()})
        title, sentence = found.title.format_map(step.names), found.sentence.format_map(step.names)
        if (beside := step.beside) and (added := EXPLANATIONS.get(beside.template)):
            latex += added.latex.format_map({field: _in_latex(name) for field, name in beside.names.items()})
            sentence += f" {added.sentence}"
    own_title, own_sentence, own_latex = (_own(step, words) for words in ("title", "sentence", "formula"))
    latex, title, sentence = own_latex or latex, own_title or title, own_sentence or step.note or sentence
    if step.title:
        return Explanation(latex.replace("=", r"\neq", 1), step.title, step.sentence)
    return Explanation(latex, title, sentence)


def _own(step: Step, words: str) -> str:
    """What a part of a reader's own says of a line of its, with the names at its place filled in; "" for nothing."""
    said = getattr(step.kind, words, {})
    said = {"Y": said, "L": said, "new": said} if isinstance(said, str) else said
    names = {field: _in_latex(name) for field, name in step.names.items()} if words == "formula" else step.names
    try:
        return str(said.get(step.result, "").format_map(names))
    except (KeyError, ValueError, IndexError) as error:
        braces = f"braces that stand for no name of its lines, {error}: those of LaTeX are doubled"
        raise ValueError(f"{step.kind.__name__}.{words} has {braces}") from None


def _formula(step: Step) -> str:
    """The formula of a line of a program that has the form of one of ours; "" for any other.

    Sums are written over the rows and columns of matrices, so they are left out for anything else.
    """
    if step.kind is not OwnLine or not SHORT.fullmatch(step.name):
        return ""
    for key, (latex, *_) in islice(EXPLANATIONS.items(), [*EXPLANATIONS].index(L2.formulas["R"])):
        form = key if isinstance(key, str) else key[1]
        found = of_form(step.code, form) if r"\sum" not in latex or np.ndim(step.value) == 2 else None
        if found and all(SHORT.fullmatch(part) or field in OWN_NUMBERS for field, part in found.items()):
            found[latex[1 : latex.index("}")]] = step.name
            return latex.format_map({field: _in_latex(code) for field, code in found.items()})
    return ""


def _plain_words(step: Step) -> tuple[str, str]:
    """The title of a line that is not in the table; of one of a program its sentence too, where it has some."""
    if step.kind is OwnLine and step.paths:
        return of_gradient(step)
    if step.kind is OwnLine and not step.of:
        return of_line(step)
    if step.adds_up_places:
        places = f"{step.of} is used in more than one place, and each use changes the loss: what it gets there adds up."
        return _plain_title(step), places
    return _plain_title(step), ""


def _plain_title(step: Step) -> str:
    """The title of a line of which nothing more is known."""
    if step.phase == "loss":
        return "Loss" if step.result == "L" else f"{step.name}, a step toward the loss"
    if step.phase == "forward":
        return step.kind.__name__ if step.result == "Y" else f"{step.name}, a step toward {step.names['Y']}"
    if step.phase == "update":
        return f"New {step.of}" if step.of else f"{step.name}, in the update"
    if step.result == "dy_pred":
        return "Gradient of the loss"
    return f"Gradient for {step.of}" if step.of else f"{step.name}, in the backward pass"


def _in_latex(name: str) -> str:
    """dW1 -> dW_{1}, y_pred -> y_{pred}, W1_new -> W_{1}^{new}, logP -> log P, 1e-05 -> 10^{-5}; other numbers stay.

    Greek letters are such, as in dmu1, Xhat1 has a hat, and a word is upright.
    """
    if not name.isidentifier():
        power = re.sub(r"^([\d.]+)e\+?(-?)0*(\d+)$", r"\1 \\cdot 10^{\2\3}", name)
        return power.removeprefix(r"1 \cdot ")
    name = re.sub(r"^(d?)(mu|gamma|beta)(?=\d|$)", r"\1\\\2 ", name)
    name = re.sub(r"^(d?)([A-Za-z])hat", r"\1\\hat{\2}", name)
    name = re.sub(r"^(d?)(var|mask|step)(?=\d|$)", r"\1\\mathrm{\2}", name)
    name = re.sub(r"^log(?=[A-Z])", r"\\log ", name)
    name = re.sub(r"(\d+)", r"_{\1}", name)
    name = re.sub(r"_new$", r"^{\\mathrm{new}}", name)
    return name.replace("_pred", r"_{\mathrm{pred}}").replace("lr", r"\mathrm{lr}")
