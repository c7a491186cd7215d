"""The addresses of all pages of the studio."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI
from fastapi.routing import APIRoute

LONG = ("/stream", "/c/{code:code}.", "/glass")
"""What needs a composing process."""


def list_paths(app: FastAPI, values: Mapping[str, str], default: str = "1") -> list[str]:
    """The address of every page, with these values, or the default, for its parameters."""
    found = []
    routers = [getattr(one, "original_router", None) for one in app.routes]
    for route in (route for router in routers if router is not None for route in router.routes):
        path = getattr(route, "path", "")
        if not isinstance(route, APIRoute) or "GET" not in route.methods:
            continue
        if any(part in path for part in LONG):
            continue
        for name in route.param_convertors:
            value = values.get(name, default)
            path = path.replace(f"{{{name}}}", value).replace(f"{{{name}:code}}", value)
            path = path.replace(f"{{{name}:int}}", value).replace(f"{{{name}:path}}", value)
        found.append(path)
    return found
