"""A thousand moves of a slider leave the last state on the screen, and nothing else behind."""

from playwright.sync_api import expect

MOVES = 1000
MB = 2**20

# Every picture is a blob of its own: one that is never let go stays in the browser, outside the heap of the page.
COUNT_BLOBS = """
  window.blobs = new Set();
  const { createObjectURL, revokeObjectURL } = URL;
  URL.createObjectURL = (blob) => { const url = createObjectURL(blob); blobs.add(url); return url; };
  URL.revokeObjectURL = (url) => { blobs.delete(url); revokeObjectURL(url); };
"""
RSS = "(__import__('gc').collect(), __import__('psutil').Process().memory_info().rss)[1]"


def move(lab, times):
    """Up and down the seed slider and the learning rate, as fast as the keys go, ending at seed `times % 100`."""
    lab.key("Home")
    for _ in range(times // 200):
        lab.key(*["ArrowRight"] * 100, *["ArrowLeft"] * 100)
    lab.key(*["ArrowRight"] * (times % 200))
    lab.settle()


def memory(lab):
    """The bytes that the kernel holds and those that the page's scripts do, and how many nodes and blobs it has."""
    for _ in range(3):
        lab.devtools.send("HeapProfiler.collectGarbage")
    metrics = {entry["name"]: entry["value"] for entry in lab.devtools.send("Performance.getMetrics")["metrics"]}
    return {
        "kernel": lab.in_kernel(RSS),
        "page": metrics["JSHeapUsedSize"],
        "nodes": metrics["Nodes"],
        "listeners": metrics["JSEventListeners"],
        "blobs": lab.page.evaluate("blobs.size"),
    }
