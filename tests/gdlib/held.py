"""What a figure's block holds."""

import base64
import json
import re

import numpy as np


def payload(block):
    """What its script gets."""
    text = re.search(r'<script type="application/json">(.*?)</script>', block._repr_html_(), re.S).group(1)
    return json.loads(text)


def unpacked(array):
    return np.frombuffer(base64.b64decode(array["data"]), np.dtype(array["type"]).newbyteorder("<"))
