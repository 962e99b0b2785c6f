"""A Hugging Face hub on loopback: one repository, whose files lie in a folder."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def fake_hub(repo: str, folder: Path) -> Iterator[str]:
    """Serve ``folder`` as ``repo`` until the block ends; gives the address."""
    handler = type("Handler", (_Handler,), {"repo": repo, "folder": folder})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    repo: str
    folder: Path
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, *, with_body: bool) -> None:
        path = urlsplit(self.path).path
        if path.startswith(f"/api/models/{self.repo}/tree/"):
            self._send(200, self._tree(), with_body=with_body)
        elif path.startswith(f"/api/models/{self.repo}"):
            self._send(200, self._info(), with_body=with_body)
        elif path.startswith(f"/{self.repo}/resolve/"):
            file = self.folder / path.split("/", 5)[5]
            self._send_file(file, with_body=with_body)
        else:
            self._send(404 if path != "/" else 200, b"{}", with_body=with_body)

    def _files(self) -> dict[str, int]:
        files = [path for path in self.folder.iterdir() if path.is_file()]
        return {path.name: path.stat().st_size for path in files}

    def _tree(self) -> bytes:
        files = self._files().items()
        entries = [{"type": "file", "oid": "0", "path": p, "size": size} for p, size in files]
        return json.dumps(entries).encode()

    def _info(self) -> bytes:
        siblings = [{"rfilename": name, "size": size} for name, size in self._files().items()]
        return json.dumps({"id": self.repo, "sha": COMMIT, "siblings": siblings}).encode()

    def _send_file(self, file: Path, *, with_body: bool) -> None:
        if not file.is_file():
            self._send(404, b"{}", with_body=with_body, **{"X-Error-Code": "EntryNotFound"})
            return
        content = file.read_bytes()
        etag = f'"{sha256(content).hexdigest()}"'
        headers = {"ETag": etag, "X-Repo-Commit": COMMIT}
        self._send(200, content, with_body=with_body, **headers)

    def _send(self, status: int, body: bytes, *, with_body: bool, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)
