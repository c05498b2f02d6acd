"""The lanes in a browser: they simulate as Python does, and answer to rules and sliders."""

import heapq

import numpy as np
import pytest
from alone import says, settle, written

from gdlib import widgets

TIMES = np.random.default_rng(3).exponential(size=(4, 50)).clip(0.05)
SECONDS, SETTINGS = 10.0, {"uneven": 0.7, "slow": 1.5, "rate": 0.2}


def duration(worker, k):
    share = SETTINGS["uneven"]
    return (1 - share + share * TIMES[worker, k]) * (SETTINGS["slow"] if worker == 0 else 1)


def ages_alone():
    done, read, ages, counts = [(duration(i, 0), i) for i in range(4)], [0] * 4, [], [1] * 4
    heapq.heapify(done)
    while done[0][0] < SECONDS:
        now, worker = heapq.heappop(done)
        ages.append(len(ages) - read[worker])
        read[worker] = len(ages)
        heapq.heappush(done, (now + duration(worker, counts[worker]), worker))
        counts[worker] += 1
    return ages


def ages_together(used):
    ends = [sorted(duration(i, k) for i in range(4))[used - 1] for k in range(50)]
    return [0] * int((np.cumsum(ends) < SECONDS).sum())


AGES = {"wait": ages_together(4), "backup": ages_together(3), "nobody waits": ages_alone()}


def fall(ages):
    w = [1.0]
    for age in ages:
        w.append(w[-1] - SETTINGS["rate"] * w[-1 - age])
    return w[1:]


PATHS = {rule: fall(ages) for rule, ages in AGES.items()}


@pytest.fixture
def opened(page, tmp_path):
    block = widgets.lanes(TIMES, PATHS, seconds=SECONDS, **SETTINGS)
    page.goto(written(tmp_path / "lanes.html", block))
    settle(page)
    return page


def test_it_simulates_as_python_does_and_says_so(opened):
    root = opened.locator(".gdlib-widget")
    assert float(root.get_attribute("data-disagreement")) < 1e-9
    assert "This page and the chapter agree" in root.locator(".gdlib-agrees").inner_text()
    for rule, ages in AGES.items():
        opened.get_by_label(rule, exact=True).check()
        assert says(opened).startswith(f"{rule}: {len(ages)} updates")
        assert f"oldest gradient {max(ages)} updates old" in says(opened)


@pytest.mark.parametrize("rule", PATHS)
def test_it_says_where_it_does_not(page, tmp_path, rule):
    off = PATHS | {rule: np.array(PATHS[rule]) + 0.01}
    page.goto(written(tmp_path / "wrong.html", widgets.lanes(TIMES, off, seconds=SECONDS, **SETTINGS)))
    assert "disagree by 1e-2" in page.locator(".gdlib-agrees").inner_text()


def lost(opened):
    return int(says(opened).split(" % of the time lost")[0].split()[-1])


def test_sliders_say_who_waits_and_what_diverges(opened):
    opened.locator(".gdlib-uneven").fill("0")
    opened.locator(".gdlib-slow").fill("1")
    equal = lost(opened)
    opened.locator(".gdlib-slow").fill("5")
    assert lost(opened) > equal + 40  # three wait for the fourth
    opened.get_by_label("nobody waits").check()
    assert lost(opened) < 5
    assert "has fallen to" in says(opened)
    opened.locator(".gdlib-rate").fill("2")
    assert "has grown to" in says(opened)
    assert "has grown to" in opened.locator(".gdlib-fate").get_attribute("aria-label")
    assert "0.00" in opened.locator(".gdlib-uneven ~ output").inner_text()
