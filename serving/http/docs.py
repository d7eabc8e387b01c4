"""The docs page: the OpenAPI document as plain HTML, without a script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from serving.http.assets import Asset
from serving.http.openapi import build_openapi, phrase

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>stance: the API</title>
<link rel="icon" href="page/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="page/style.css">
<link rel="stylesheet" href="page/docs.css">
</head>
<body>
"""


def load_docs(*, has_keys: bool) -> Mapping[str, Asset]:
    """The OpenAPI document at ``/docs.json`` and its page at ``/docs``."""
    document = build_openapi(has_keys=has_keys)
    return {
        "/docs.json": Asset(json.dumps(document, ensure_ascii=False).encode(), "application/json"),
        "/docs": Asset(render_docs(document).encode(), "text/html; charset=utf-8"),
    }


def render_docs(document: Mapping[str, Any]) -> str:
    """An OpenAPI document as a page for people; nothing in it is taken for markup."""
    title, version, description = (escape(document["info"][key]) for key in ("title", "version", "description"))
    parts = [
        f"<header><h1>{title} {version}</h1><p>{description}</p></header>",
        '<main><p><a href="./">The page</a> · <a href="docs.json">This as OpenAPI</a></p>',
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts.append(_operation(path, method, operation))
    parts.append("<section><h2>Schemas</h2>")
    parts += [_schema(name, schema) for name, schema in document["components"]["schemas"].items()]
    return _HEAD + "\n".join(parts) + "\n</section></main>\n</body>\n</html>\n"


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(_response(status, response) for status, response in operation["responses"].items())
    return (
        f'<section id="{escape(operation["operationId"])}"><h2>{method.upper()} {escape(path)}</h2>'
        f"<p>{escape(operation['summary'])}</p>{_body(operation)}"
        f"{_table(('Status', 'When', 'Body'), rows)}{_answer(operation)}</section>"
    )


def _table(columns: Sequence[str], rows: str) -> str:
    head = "".join(f'<th scope="col">{one}</th>' for one in columns)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _body(operation: Mapping[str, Any]) -> str:
    if "requestBody" not in operation:
        return ""
    content = operation["requestBody"]["content"]["application/json"]
    return f"<p>Takes {_type(content['schema'])}, such as</p>{_example('A request', content)}"


def _answer(operation: Mapping[str, Any]) -> str:
    content = operation["responses"]["200"].get("content", {}).get("application/json")
    return f"<p>An answer, such as</p>{_example('An answer', content)}" if content else ""


def _example(name: str, content: Mapping[str, Any]) -> str:
    words = escape(json.dumps(content["example"], ensure_ascii=False, indent=2))
    return f'<pre tabindex="0" role="group" aria-label="{name}">{words}</pre>'


def _response(status: str, response: Mapping[str, Any]) -> str:
    body = "".join(_type(one["schema"]) for one in response.get("content", {}).values())
    head = f'<th scope="row">{escape(phrase(status))}</th>'
    return f"<tr>{head}<td>{escape(response['description'])}</td><td>{body}</td></tr>"


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f'<tr><th scope="row"><code>{escape(field)}</code></th>'
        f"<td>{_type(one)}{_bounds(one)}</td>"
        f"<td>{'required' if field in required else 'optional'}</td><td>{escape(one.get('description', ''))}</td></tr>"
        for field, one in schema.get("properties", {}).items()
    )
    table = _table(("Field", "Type", "Needed", "Meaning"), rows) if rows else ""
    values = f"<p>{_type(schema)}</p>" if "enum" in schema else ""
    return f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{escape(schema.get("description", ""))}</p>{values}{table}'


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"<code>{escape(json.dumps(one))}</code>" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("type", "anything")))


def _bounds(schema: Mapping[str, Any]) -> str:
    names = {"minLength": "at least {} characters", "maxLength": "at most {} characters"}
    names |= {"minItems": "at least {}", "maxItems": "at most {}"}
    parts = [schema, *schema.get("anyOf", ())]
    told = [text.format(f"{part[key]:,}") for part in parts for key, text in names.items() if key in part]
    return "".join(f", {one}" for one in dict.fromkeys(told))
