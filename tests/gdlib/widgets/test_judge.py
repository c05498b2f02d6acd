"""What the block of images to judge holds; how it behaves is tests/book/test_judge.py's."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from gdlib import widgets

IMAGES = np.linspace(0, 1, 3 * 4 * 4).reshape(3, 4, 4, 1)
GIVEN, GUESSED = np.array([1, 4, 7]), np.array([7, 9, 1])


def judge(**changed):
    given = {"images": IMAGES, "given": GIVEN, "guessed": GUESSED, "classes": 10} | changed
    return widgets.judge(given.pop("images"), given.pop("given"), given.pop("guessed"), **given)


def test_the_block_holds_images_and_classes_and_asks_for_nothing():
    block = judge()._repr_html_()
    payload = json.loads(re.search(r'<script type="application/json">(.*?)</script>', block, re.S).group(1))
    assert (payload["given"], payload["guessed"]) == (GIVEN.tolist(), GUESSED.tolist())
    for png, image in zip(payload["images"], IMAGES[..., 0], strict=True):
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(png)))) / 255
        assert np.abs(1 - shown - image).max() < 0.5 / 15 + 1e-6
    assert not re.search(r"https?://|import\(|fetch\(", block)
    assert "3 images" in repr(judge())


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"images": IMAGES[..., 0]}, ValueError, r"images: expected shape \(n, height, width, 1\)"),
        ({"images": IMAGES[:0]}, ValueError, r"got \(0, 4, 4, 1\)"),
        ({"images": 2 * IMAGES}, ValueError, "images: expected values from 0 to 1"),
        ({"given": GIVEN[:2]}, ValueError, "given: expected 3 of them"),
        ({"guessed": GUESSED + 1}, ValueError, "guessed: expected values from 0 to 9"),
        ({"guessed": GUESSED * 1.0}, TypeError, "guessed: expected integers"),
        ({"guessed": np.array([7, 4, 1])}, ValueError, "another class than given, got the same in row 1"),
        ({"classes": 0}, ValueError, "classes"),
    ],
)
def test_what_does_not_fit_is_named(untyped, changed, error, message):
    with pytest.raises(error, match=message):
        judge(**changed)
