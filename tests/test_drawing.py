"""Drawing: whatever matplotlib's settings are on a machine, every picture is the same, and the settings stay."""

import subprocess
import sys
import threading

import matplotlib as mpl

from backprop_lab.ui.drawing import own_settings

# What people write into a matplotlibrc, each of which changes or breaks a picture that is drawn under it.
FOREIGN = """\
image.origin: lower
image.lut: 8
text.usetex: True
figure.autolayout: True
figure.dpi: 40
font.family: monospace
font.size: 20
path.sketch: 3, 50, 10
axes.grid: True
axes.unicode_minus: False
axes.xmargin: 0.4
xtick.direction: in
hatch.linewidth: 4
legend.loc: lower left
agg.path.chunksize: 5
"""
DRAW = """\
import hashlib, sys
import matplotlib as mpl
settings = dict(dict.items(mpl.rcParams))
from backprop_lab import trace, worked_example
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.curves import draw_curves
from backprop_lab.ui.heatmaps import draw_heatmaps
from backprop_lab.ui.rates.run_map import RunMap
from backprop_lab.ui.rates.sweeper import Sweeper
from backprop_lab.ui.steps.pictures import picture
from backprop_lab.ui.steps.stepper import Stepper
t, sweeper = trace(worked_example()), Sweeper(seeds=3, steps=50)
list(sweeper.train())
pictures = []
for dark in False, True:
    board, runs = Board(t, dark=dark), RunMap(500, dark=dark)
    board.draw(t, 8, [52.0, 3.0, 1e-7], ("dW2", 0, 0))
    runs.draw(sweeper.state.runs, ((0, 3), (1, 70)))
    pictures += [board.png(), runs.png()]
pictures.append(draw_curves({"right": [3.0, 2.0, 1e-4], "wrong": [3.0, 1e9, float("inf")]}).encode())
pictures.append(draw_heatmaps({"P": [[0.2, -1.0]]}, ["row"]).png)
pictures += [picture(Stepper(step="dW1"), kind) for kind in ("png", "svg", "pdf")]
print(*[hashlib.sha256(picture).hexdigest() for picture in pictures], "matplotlib.pyplot" in sys.modules)
assert dict(dict.items(mpl.rcParams)) == settings
"""


def hashes(folder, settings):
    """Of the pictures that are drawn where these are the settings of matplotlib; and whether pyplot was loaded."""
    folder.mkdir()
    (folder / "matplotlibrc").write_text(settings, encoding="utf-8")
    command = [sys.executable, "-W", "error", "-c", DRAW]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_foreign_settings_change_no_pixel_of_any_picture_raise_nothing_and_stay_and_no_pyplot_draws_twice(tmp_path):
    plain, foreign = hashes(tmp_path / "plain", ""), hashes(tmp_path / "foreign", FOREIGN)
    assert (len({*plain}), plain[-1]) == (10, "False")
    assert foreign == plain


def test_within_it_settings_are_matplotlibs_own_and_afterwards_as_before_and_what_is_set_meanwhile_is_not_undone():
    with mpl.rc_context({"lines.linewidth": 7, "axes.grid": True}):
        with own_settings():
            with own_settings():
                assert not mpl.rcParams["axes.grid"]
            mpl.rcParams["font.size"], mpl.rcParams["lines.linewidth"] = 30, 9
        assert [mpl.rcParams[name] for name in ("font.size", "lines.linewidth", "axes.grid")] == [30, 9, True]


def test_two_threads_that_draw_wait_for_each_other():
    """Otherwise the first to end would bring the foreign settings back while the second still draws."""
    within, seen = threading.Event(), []

    def draw():
        within.wait()
        with own_settings():
            seen.append(mpl.rcParams["axes.grid"])

    other = threading.Thread(target=draw)
    other.start()
    with mpl.rc_context({"axes.grid": True}):
        with own_settings():
            within.set()
            other.join(0.1)
            assert seen == []
        other.join()
    assert seen == [False]
