"""A browser without JavaScript for tests: it follows redirects, reads forms and posts them."""

import http.client
import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from payme.sandbox import Sandbox


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.text = ""
        self.refresh = ""
        self.language = ""
        self.inline: list[str] = []
        self._href = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        members = {name: value or "" for name, value in attrs}
        self.inline += [name for name in members if name.startswith("on") or name == "style"]
        if tag in {"script", "style"} and "src" not in members:
            self.inline.append(tag)
        if tag == "html":
            self.language = members["lang"]
        if tag == "meta" and members.get("http-equiv") == "refresh":
            self.refresh = members["content"]
        if tag == "a":
            self._href = members["href"]
        if tag == "form":
            self.forms.append(Form(members.get("action", ""), members.get("method", "get")))
        if tag == "input" and self.forms and "name" in members:
            self.forms[-1].fields[members["name"]] = members.get("value", "")
        if tag == "button" and "name" in members:
            self.forms[-1].buttons.append((members["name"], members["value"]))

    def handle_data(self, data: str) -> None:
        if self._href and data.strip():
            self.links[data.strip()] = self._href
            self._href = ""
        self.text += data


@dataclass
class Page:
    url: str
    status: int
    headers: dict[str, str]
    body: str

    @property
    def reader(self) -> Reader:
        return Reader(self.body)

    def form(self, part: str = "") -> Form:
        return next(one for one in self.reader.forms if part in one.action)

    @property
    def text(self) -> str:
        return " ".join(self.reader.text.split())


class Browser:
    """Visits a running sandbox; any other host is an error, but for the last redirect."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.base = sandbox.url.removesuffix("/api")
        self.netloc = urlsplit(self.base).netloc

    def request(
        self,
        verb: str,
        url: str,
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        *,
        follow: bool = True,
    ) -> Page:
        address = urljoin(self.base + "/", url)
        assert urlsplit(address).netloc == self.netloc, address
        sent = {"Accept": "text/html", **(headers or {})}
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(self.netloc, timeout=20)
        try:
            target = address.removeprefix(self.base)
            connection.request(verb, target, None if form is None else urlencode(form), sent)
            response = connection.getresponse()
            body = response.read().decode()
            found = {name.lower(): value for name, value in response.getheaders()}
        finally:
            connection.close()
        if response.status == 303 and follow:
            return self.request("GET", found["location"])
        return Page(address, response.status, found, body)

    def get(self, url: str = "/", **headers: str) -> Page:
        return self.request(
            "GET", url, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    def submit(self, page: Page, part: str = "", **values: str) -> Page:
        form = page.form(part)
        url = urljoin(page.url, form.action)
        return self.request(
            "POST", url, {**form.fields, **values}, {"Sec-Fetch-Site": "same-origin"}
        )


def api(sandbox: Sandbox, method: str, **params: Any) -> Any:
    body = json.dumps({"id": 1, "method": method, "params": params}).encode()
    answer = json.loads(sandbox.handle(body, f"{sandbox.merchant_id}:{sandbox.key}"))
    assert "result" in answer, answer
    return answer["result"]
