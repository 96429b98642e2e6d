"""The OpenAPI document against the routes; the page that shows it needs no other host."""

from __future__ import annotations

import re

import httpx

from sync.connect.openapi import document, page
from sync.connect.rest import Api
from sync.connect.worker import Worker


def test_the_document_has_every_endpoint_and_no_other(worker: Worker) -> None:
    described = {
        (method.upper(), path)
        for path, item in document()["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert described == {(method, path) for method, path, _ in Api(worker, str).routes()}


def test_every_reference_of_the_document_leads_somewhere() -> None:
    named = set(re.findall(r"#/components/schemas/(\w+)", str(document())))
    assert named == set(document()["components"]["schemas"])


def test_the_page_loads_nothing_from_elsewhere(http: httpx.Client) -> None:
    answer = http.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text == page()
    assert "//" not in re.sub(r"(?m)^\s*//.*$", "", page()).replace("</", "")
    assert http.get("/openapi.json").json()["openapi"] == "3.1.0"
