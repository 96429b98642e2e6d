"""The two control planes: a real Kafka Connect worker in distributed mode, and ours, each a process of its own."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from tests.differential.rest.step import Answer, Step

SECONDS = 60.0
_PATIENCE = 3.0
"""How long a rebalance may last, s."""


@dataclass
class Side:
    """One worker. ``tag`` begins every name that this side makes: both use the same Kafka and PostgreSQL."""

    url: str
    tag: str
    secret: str
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        # A connection for each request: the two servers close kept ones by different rules.
        limits = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=SECONDS, limits=limits)

    def play(self, step: Step) -> Answer:
        """Send the request, over and over until the answer is the awaited one."""
        began = time.monotonic()
        while True:
            answer, passed = self._send(step), time.monotonic() - began
            if (passed > _PATIENCE or not _rebalancing(answer)) and (step.until is None or step.until(answer)):
                return answer
            assert passed < SECONDS, f"{self.tag}: {step} had only {answer}"
            time.sleep(0.1)

    def _send(self, step: Step) -> Answer:
        path = self._told(step.path, quoted=True)
        content = None if step.body is None else self._told(step.body)
        headers = {"Content-Type": step.content_type} if content is not None and step.content_type else {}
        content_bytes = None if content is None else content.encode()
        response = self.http.request(step.method, path, content=content_bytes, headers=headers)
        text = self._neutral(response.text)
        try:
            body: Any = json.loads(text) if text else None
        except ValueError:
            body = "not JSON"
        location = response.headers.get("location")
        return Answer(response.status_code, body, location and self._neutral(location))

    def _told(self, text: str, *, quoted: bool = False) -> str:
        return text.replace("TAG", quote(self.tag) if quoted else self.tag).replace("SECRET", self.secret)

    def _neutral(self, text: str) -> str:
        """The same names on both sides."""
        told = (
            text.replace(self.tag, "TAG").replace(self.url, "URL").replace(self.url.removeprefix("http://"), "WORKER")
        )
        if self.secret:
            told = told.replace(self.secret, "SECRET")
        return re.sub(r'"version":\s*"[^"]+"', '"version":"V"', told)


def _rebalancing(answer: Answer) -> bool:
    """Whether the same request is to be sent again, as both sides' clients have to."""
    told = str(answer.body.get("message")) if isinstance(answer.body, dict) else ""
    return answer.status == 409 and told.startswith("Cannot complete request")


def told(config: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A configuration with some keys changed; ``...`` leaves one out; underscores stand for dots."""
    changes = {key.replace("_", "."): value for key, value in more.items()}
    return {key: value for key, value in {**config, **changes}.items() if value is not ...}
