"""Data sets, and what programs may ask."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from sluice.studio.errors import NotFoundError
from sluice.studio.exports.datasets import list_datasets
from sluice.studio.languages import gettext as _
from sluice.studio.web.context import StudioDep, VisitorDep
from sluice.studio.web.rendering import render

router = APIRouter()


@router.get("/data")
def show_data(request: Request, studio: StudioDep, visitor: VisitorDep) -> Response:
    """What can be taken from this site, and under which licence."""
    return render(request, "data.html", files=list_datasets(studio.config.folder))


@router.get("/data/{name}")
def get_dataset(studio: StudioDep, name: str) -> Response:
    """A data set.

    Raises:
        NotFoundError: there is none of this name.
    """
    for found in list_datasets(studio.config.folder):
        if found.name == name:
            return FileResponse(
                studio.config.folder / "data" / name,
                media_type=found.media_type,
                filename=name,
                headers={"etag": f'"{found.sha256[:32]}"', "cache-control": "no-cache"},
            )
    raise NotFoundError(_("There is no such data set."))


@router.get("/api")
def show_api(request: Request, visitor: VisitorDep) -> Response:
    """The operations of the API, made from the same description that programs read."""
    schema = request.app.openapi()
    return render(
        request,
        "api.html",
        description=schema["info"]["description"].strip().split("\n\n"),
        groups=_group_operations(schema),
        shapes=schema["components"]["schemas"],
    )


def _group_operations(schema: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The operations by their subject, in order."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            answer = operation["responses"].get("200") or operation["responses"].get("201", {})
            body = operation.get("requestBody", {}).get("content", {})
            groups.setdefault(operation["tags"][0], []).append(
                {
                    "method": method.upper(),
                    "path": path,
                    "text": operation.get("description", operation.get("summary", "")),
                    "parameters": operation.get("parameters", []),
                    "answer": _find_shape(answer.get("content", {})),
                    "body": _find_shape(body),
                }
            )
    return groups


def _find_shape(content: dict[str, Any]) -> str:
    """The name of the shape in JSON, or nothing."""
    schema = content.get("application/json", {}).get("schema", {})
    reference = schema.get("$ref") or schema.get("items", {}).get("$ref", "")
    return str(reference.rpartition("/")[2])
