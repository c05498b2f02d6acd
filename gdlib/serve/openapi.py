"""What the service understands and answers, as OpenAPI 3.1 describes it."""

from typing import Any

import gdlib

_ERROR = {"$ref": "#/components/schemas/Error"}
_TEXT = {"$ref": "#/components/schemas/Text"}
_DATE = {"$ref": "#/components/schemas/Date"}
_SENTENCES = {
    "400": "No JSON.",
    "408": "The body did not come in time.",
    "413": "The body is too large.",
    "415": "The body is not said to be JSON.",
    "422": "No text, one that is too long, or letters that the model has not learned.",
    "503": "Too many requests wait. `Retry-After` says in how many seconds to try again.",
    "504": "The answer was not begun in time.",
}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _question(operation: str, summary: str, answer: dict[str, Any]) -> dict[str, Any]:
    refusals = {status: _json(sentence, _ERROR) for status, sentence in _SENTENCES.items()}
    refusals["503"]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return {
        "post": {
            "operationId": operation,
            "summary": summary,
            "requestBody": {"required": True, "content": {"application/json": {"schema": _TEXT}}},
            "responses": {"200": answer} | refusals,
        }
    }


def _get(operation: str, summary: str, media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    answer = {"description": summary, "content": {media_type: {"schema": schema}}}
    return {"get": {"operationId": operation, "summary": summary, "responses": {"200": answer}}}


def _words(letters: str) -> str:
    """The pattern of a text of these letters that is not blank."""
    escaped = [f"\\{letter}" if letter in r"\]^-[" else letter for letter in letters]
    every, shown = "".join(escaped), "".join(letter for letter in escaped if letter.strip())
    return f"^[{every}]*[{shown}][{every}]*$"


def description(letters: str, longest: int, body: int) -> dict[str, Any]:
    """The description of a service that reads texts of so many of these letters, in bodies of so many bytes."""
    events = {
        "description": "Server-sent events: `piece` for each character, then `date`.",
        "content": {"text/event-stream": {}},
    }
    text = {
        "type": "string",
        "minLength": 1,
        "maxLength": longest,
        "pattern": _words(letters),
        "examples": ["Freitag, 3. Mai 2019"],
    }
    status = {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"const": "ready"}},
    }
    healthy = _get("health", "Whether requests are taken.", "application/json", status)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Dates in twelve languages",
            "version": gdlib.__version__,
            "description": f"A written date in, the same as ISO 8601 writes it out. Bodies have at most {body} bytes.",
        },
        "paths": {
            "/translate": _question("translate", "A text to its date.", _json("The date.", _DATE)),
            "/stream": _question("stream", "The same, character by character.", events),
            "/health": healthy,
            "/metrics": _get("metrics", "For Prometheus.", "text/plain", {"type": "string"}),
            "/openapi.json": _get("openapi", "This description.", "application/json", {"type": "object"}),
        },
        "components": {
            "schemas": {
                "Text": {
                    "type": "object",
                    "required": ["text"],
                    "additionalProperties": False,
                    "properties": {"text": text},
                },
                "Date": {
                    "type": "object",
                    "required": ["date", "valid"],
                    "additionalProperties": False,
                    "properties": {
                        "date": {"type": "string", "description": "What the model wrote."},
                        "valid": {
                            "type": "boolean",
                            "description": "Whether it is a date that the calendar has.",
                        },
                    },
                },
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "additionalProperties": False,
                    "properties": {
                        "error": {"type": "string", "description": "What was expected, what came."}
                    },
                },
            }
        },
    }
