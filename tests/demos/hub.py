"""A stand-in for the Hugging Face Hub on this machine: files of repositories at commits, and uploads by commit."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

HEAD = "a" * 40


class Hub(ThreadingHTTPServer):
    """Serves data set repositories from memory. What goes wrong is a list that requests for files use up.

    A fault is a status to answer, how many bytes to send before breaking off, or bytes to send instead.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        self.branches: dict[str, dict[str, str]] = {}
        self.faults: list[int | bytes | tuple[str, int]] = []
        self.head_faults: list[int] = []
        self.requests: list[tuple[str, str, str | None]] = []
        self.token: str | None = None
        self.gated = False
        self.store: str | None = None  # address of another server that files are fetched from
        self.tokens: list[str | None] = []  # of requests for files

    def add(self, repository: str, files: dict[str, bytes], commit: str = HEAD, branch: str = "main") -> None:
        self.repositories.setdefault(repository, {})[commit] = dict(files)
        self.branches.setdefault(repository, {})[branch] = commit

    def gets(self) -> list[str]:
        return [path for method, path, _ in self.requests if method == "GET"]


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: object = None, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, status: int, code: str | None = None) -> None:
        headers = {"X_Error_Code": code} if code else {}
        self.answer(status, {"error": code or "refused"}, **headers)

    def find(self) -> tuple[str, bytes] | None:
        """Commit and content of what is asked for; None if refused."""
        match = re.fullmatch(r"/datasets/([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)", unquote(self.path))
        authorised = self.server.token is None or self.headers.get("Authorization") == f"Bearer {self.server.token}"
        if not match or match[1] not in self.server.repositories or not authorised:
            self.refuse(401, "RepoNotFound")
            return None
        if self.server.gated:
            self.refuse(403, "GatedRepo")
            return None
        repository, revision, path = match.groups()
        commit = self.server.branches[repository].get(revision, revision)
        if commit not in self.server.repositories[repository]:
            self.refuse(404, "RevisionNotFound")
            return None
        if path not in self.server.repositories[repository][commit]:
            self.refuse(404, "EntryNotFound")
            return None
        return commit, self.server.repositories[repository][commit][path]

    def do_HEAD(self) -> None:
        self.server.requests.append(("HEAD", self.path, None))
        if self.server.head_faults:
            self.refuse(self.server.head_faults.pop(0))
            return
        found = self.find()
        if found:
            commit, content = found
            etag = hashlib.sha256(content).hexdigest()
            self.send_response(302 if self.server.store else 200)
            if self.server.store:
                self.send_header("Location", f"{self.server.store}{self.path}")
            self.send_header("X-Repo-Commit", commit)
            self.send_header("X-Linked-Etag", f'"{etag}"')
            self.send_header("ETag", f'"{etag}"')
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("Content-Length", "0" if self.server.store else str(len(content)))
            self.end_headers()

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append(("GET", self.path, wanted))
        if match := re.fullmatch(r"/api/datasets/([\w.-]+/[\w.-]+)/revision/([^/?]+)", unquote(self.path)):
            known = self.server.repositories.get(match[1], {})
            commit = self.server.branches.get(match[1], {}).get(match[2], match[2])
            if commit not in known:
                self.refuse(404, "RevisionNotFound" if known else "RepoNotFound")
                return
            files = [{"rfilename": name} for name in known[commit]]
            self.answer(200, {"id": match[1], "sha": commit, "siblings": files, "private": False})
            return
        if self.path.startswith("/api/datasets/"):
            self.refuse(401)
            return
        if self.path.startswith("/api/"):
            self.answer(200, {"name": "tester", "type": "user", "orgs": [], "auth": {}})
            return
        self.server.tokens.append(self.headers.get("Authorization"))
        fault = self.server.faults.pop(0) if self.server.faults else None
        if isinstance(fault, int):
            self.refuse(fault)
            return
        found = self.find()
        if not found:
            return
        content = fault if isinstance(fault, bytes) else found[1]
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + fault[1] if isinstance(fault, tuple) else len(content)
        self.wfile.write(content[start:end])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(("POST", self.path, None))
        if self.server.token is not None and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self.refuse(401)
            return
        if self.path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif self.path == "/api/repos/create":
            wanted = json.loads(body)
            name = f"{wanted.get('organization') or 'tester'}/{wanted['name']}"
            if name not in self.server.repositories:
                self.server.add(name, {})
            self.answer(200, {"url": f"{self.server.url}/datasets/{name}", "name": name})
        elif match := re.fullmatch(r"/api/datasets/([\w.-]+/[\w.-]+)/preupload/main", self.path.partition("?")[0]):
            files = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None} for f in files]
            self.answer(200, {"files": modes})
        elif match := re.fullmatch(r"/api/datasets/([\w.-]+/[\w.-]+)/commit/main", self.path.partition("?")[0]):
            if self.server.faults:
                self.refuse(int(self.server.faults.pop(0)))
                return
            lines = [json.loads(line) for line in body.splitlines()]
            self.commit(match[1], lines, pull_request="create_pr=1" in self.path)
        elif match := re.fullmatch(r"/api/datasets/([\w.-]+/[\w.-]+)/paths-info/([\w.-]+)", self.path):
            commit = self.server.branches[match[1]].get(match[2], match[2])
            files = self.server.repositories[match[1]][commit]
            wanted = json.loads(body)["paths"] if body[:1] == b"{" else []
            known = [{"type": "file", "path": p, "size": len(files[p]), "oid": "0"} for p in wanted if p in files]
            self.answer(200, known)
        else:
            self.refuse(404)

    def commit(self, repository: str, lines: list[dict], pull_request: bool) -> None:
        if repository not in self.server.repositories:
            self.refuse(404, "RepoNotFound")
            return
        old = self.server.branches[repository]["main"]
        files = dict(self.server.repositories[repository][old])
        for line in lines:
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        new = hashlib.sha1(repr(sorted(files)).encode() + old.encode()).hexdigest()
        page = f"{self.server.url}/datasets/{repository}"
        answer = {"commitUrl": f"{page}/commit/{new}", "commitOid": new, "success": True}
        branch = "main"
        if pull_request:
            number = sum(name.startswith("refs/pr/") for name in self.server.branches[repository]) + 1
            branch = f"refs/pr/{number}"
            answer["pullRequestUrl"] = f"{page}/discussions/{number}"
        self.server.add(repository, files, new, branch)
        self.answer(200, answer)
