"""A question with answers to choose from, each with a word on why."""

import html
from collections.abc import Mapping

from gdlib.widgets.embed import Widget, widget


def quiz(question: str, answers: Mapping[str, str], *, right: str) -> Widget:
    """One question; whoever picks an answer reads why it is right or not. Works by keyboard.

    Args:
      question: plain text.
      answers: answer → what to say to who picks it.
      right: the answer that is right, one of `answers`.

    Raises ValueError for fewer than two answers, and where `right` is none of them.
    """
    if len(answers) < 2:
        raise ValueError(f"answers: expected at least two, got {len(answers)}")
    if right not in answers:
        raise ValueError(f"right: expected one of {list(answers)}, got {right!r}")
    options = "".join(
        f'<label><input type="radio" value="{position}"> {html.escape(answer)}</label>'
        for position, answer in enumerate(answers)
    )
    body = (
        f'<fieldset class="gdlib-quiz"><legend>{html.escape(question)}</legend>{options}'
        '<p class="gdlib-says" aria-live="polite"></p></fieldset>'
    )
    payload = {"feedback": list(answers.values()), "right": list(answers).index(right)}
    return widget("quiz", body, payload, description=f"A question: {question}")
