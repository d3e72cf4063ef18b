"""The description for a person, at `/docs`: one page of HTML without a script, and without anything from elsewhere."""

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid #8886; border-radius: 0.3rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid #8884; }
section { margin: 2rem 0; }
"""

POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The content security policy of the page: its own style, and nothing else."""


def page(description: dict[str, Any], examples: list[str]) -> bytes:
    """The page.

    Args:
        description: of the API, in OpenAPI.
        examples: command lines to try, shown as they are.
    """
    info = description["info"]
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(info['title'])}: read API</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(info['title'])}: read API</h1>",
        f"<p>{escape(info['description'])} Machines read the same at <a href=/openapi.json>/openapi.json</a>.</p>",
        f"<section><h2>Try it</h2><pre>{escape(chr(10).join(examples))}</pre></section>",
        "<section><h2>Calls</h2>",
        *(_call(path, method, call) for path, calls in description["paths"].items() for method, call in calls.items()),
        "</section><section><h2>Types</h2>",
        *(_type(name, schema) for name, schema in description["components"]["schemas"].items()),
        "</section></body></html>",
    ]
    return "\n".join(parts).encode()


def _call(path: str, method: str, call: dict[str, Any]) -> str:
    rows = [
        (each["name"], each["in"], each["description"] + (" Required." if each["required"] else ""))
        for each in call.get("parameters", ())
    ]
    if "requestBody" in call:
        rows.append(("body", "body", _shape(_schema_of(call["requestBody"]))))
    for status, response in call["responses"].items():
        rows.append((status, "response", f"{response['description']} {_shape(_schema_of(response))}"))
    return f"<h3><code>{method.upper()} {escape(path)}</code></h3><p>{escape(call['summary'])}</p>{_table(rows)}"


def _schema_of(holder: dict[str, Any]) -> dict[str, Any]:
    (content,) = holder["content"].values()
    schema: dict[str, Any] = content["schema"]
    return schema


def _type(name: str, schema: dict[str, Any]) -> str:
    rows = [(field, _shape(each), each.get("description", "")) for field, each in schema["properties"].items()]
    return f"<h3 id={escape(name)}>{escape(name)}</h3><p>{escape(schema.get('description', ''))}</p>{_table(rows)}"


def _shape(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "oneOf" in schema:
        return " or ".join(map(_shape, schema["oneOf"]))
    if "enum" in schema:
        return "one of: " + ", ".join(schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    said = " or ".join(kinds)
    if "items" in schema:
        return f"{said}, each {_shape(schema['items'])}"
    if schema.get("properties"):
        return f"{said}: " + "; ".join(f"{name} ({_shape(each)})" for name, each in schema["properties"].items())
    return said


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = [
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td><td>{escape(about)}</td></tr>"
        for name, kind, about in rows
    ]
    return f"<div class=wide><table>{''.join(lines)}</table></div>" if lines else ""
