"""The shell blocks of a page, run as a reader would: in order, in one shell, each with the output that the page shows.

A block that is not run has a comment before it, `<!-- not run by ...: why -->`. One that starts a daemon (`adaptd run`)
is the second terminal: it is left running, without the roles that need a model, until the next one or the end. The
port 8712 of the page is another one here. In a block of expected output, `...` stands for anything.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.daemon.daemons import PATIENCE_S, REPOSITORY, answers, environment, free_port
from tests.services.waiting import wait_until

PORT = "8712"
_BLOCK = re.compile(r"(?:<!-- (not run by[^>]*?) -->\n)?^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block. `skipped` is why it is not run, `expected` what the page shows after it."""

    language: str
    text: str
    skipped: str = ""
    expected: str = ""


def blocks(page: Path) -> list[Block]:
    """Every block of code of a page, shell blocks with the output that follows them directly."""
    found: list[Block] = []
    text, end = page.read_text(encoding="utf-8"), 0
    for match in _BLOCK.finditer(text):
        skipped, language, body = match.groups()
        follows = found and found[-1].language == "sh" and not text[end : match.start()].strip()
        if language == "text" and follows:
            found[-1] = Block("sh", found[-1].text, found[-1].skipped, body)
        else:
            found.append(Block(language, body, skipped or ""))
        end = match.end()
    return found


class Reader:
    """Somebody who types what the page says, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._state = folder, folder / ".shell"
        self._port = free_port()
        self._daemon: subprocess.Popen[bytes] | None = None
        command = folder / "bin" / "adaptd"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m daemon.cli.main "$@"\n')
        command.chmod(0o755)
        path = os.pathsep.join([str(command.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
        self._environ = environment({"PATH": path, "ADAPTD_API__PORT": str(self._port)})
        self._state.write_text("")
        (folder / ".cwd").write_text(str(folder))

    def reads(self, page: Path) -> list[str]:
        """Runs the page's shell blocks; returns what each printed. Raises AssertionError where one is not as shown."""
        return [self._reads(block) for block in blocks(page) if block.language == "sh" and not block.skipped]

    def leaves(self) -> None:
        """Stops the daemon, as Ctrl-C does."""
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGINT)
            assert self._daemon.wait(PATIENCE_S) == 0, self._log()
            self._daemon = None

    def _reads(self, block: Block) -> str:
        if block.text.startswith("adaptd run"):
            self._starts(block.text)
            return ""
        done = self._shell(f"set -e\n{block.text}")
        assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}\n{self._log()}"
        for line in block.expected.splitlines():
            pattern = ".*".join(re.escape(part.strip()) for part in line.split("..."))
            assert re.search(pattern, done.stdout), (
                f"{line!r} is not in what this printed:\n{block.text}\n{done.stdout}"
            )
        return done.stdout

    def _starts(self, command: str) -> None:
        self.leaves()
        roles = "" if "--role" in command else " --role intake,api"
        script = f"{self._before()}exec {command.strip()}{roles}"
        with (self._folder / "daemon.log").open("ab") as log:
            self._daemon = subprocess.Popen(["bash", "-c", script], env=self._environ, stdout=log, stderr=log)
        with httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=PATIENCE_S, trust_env=False) as client:
            wait_until(lambda: answers(client), 2 * PATIENCE_S, "the daemon to be ready", self._log)

    def _shell(self, text: str) -> subprocess.CompletedProcess[str]:
        """In the folder and with the variables that the block before left."""
        after = f"export -p > '{self._state}'\npwd > '{self._folder / '.cwd'}'"
        script = f"{self._before()}{text.replace(PORT, str(self._port))}\n{after}"
        return subprocess.run(
            ["bash", "-c", script], env=self._environ, capture_output=True, text=True, timeout=3 * PATIENCE_S
        )

    def _before(self) -> str:
        where = (self._folder / ".cwd").read_text().strip()
        return f". '{self._state}'\ncd '{where}'\n"

    def _log(self) -> str:
        log = self._folder / "daemon.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""


def only_pythons_own(page: Path) -> list[str]:
    """The page's Python blocks."""
    return [block.text for block in blocks(page) if block.language == "python"]


def page(name: str) -> Path:
    return REPOSITORY / "docs" / name
