"""The URL shortener's page in a headless browser: a link is typed, sent, found on the page and followed.

Arguments: the browser's program, the page's address. Exits non-zero on the first surprise.
"""

import http.server
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading

from websockets.sync.client import connect

PATIENCE = 60


class Browser:
    """A page of a browser, driven by its DevTools protocol.

    https://chromedevtools.github.io/devtools-protocol/
    """

    def __init__(self, program, profile):
        # Where the packages put the libraries that came with it.
        folder = os.path.join(program.split("/usr/lib/")[0], "usr/lib")
        libraries = os.path.join(folder, f"{platform.machine()}-linux-gnu")
        path = ":".join([libraries, os.path.join(libraries, "pulseaudio")])
        # Its own sandbox wants namespaces or a setuid program; the page is ours.
        self.process = subprocess.Popen(
            [program, "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
             "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            env={**os.environ, "LD_LIBRARY_PATH": path, "HOME": profile},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if found := re.match(r"DevTools listening on (ws://\S+)", line):
                break
        else:
            raise AssertionError(f"the browser did not start: {''.join(said)}")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.socket = connect(found[1], max_size=None, proxy=None)
        self.numbers = itertools.count(1)
        self.session = None
        self.happened = []
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.tell("Page.enable")

    def receive(self):
        return json.loads(self.socket.recv(timeout=PATIENCE))

    def tell(self, method, **params):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while (answer := self.receive()).get("id") != number:
            self.happened.append(answer.get("method"))
        assert "error" not in answer, f"{method}: {answer}"
        return answer["result"]

    def loads(self, act):
        """Does something that leads to another page, and waits until that is there."""
        self.happened.clear()
        act()
        while "Page.loadEventFired" not in self.happened:
            self.happened.append(self.receive().get("method"))

    def open(self, address):
        def navigate():
            error = self.tell("Page.navigate", url=address).get("errorText")
            assert error is None, f"{address}: {error}"
        self.loads(navigate)

    def read(self, expression):
        answer = self.tell("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def click(self, selector):
        """With the mouse, where the element is seen."""
        box = self.read(f"""(() => {{
            const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.tell("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left",
                      clickCount=1)

    def type(self, text):
        self.tell("Input.insertText", text=text)

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


class Landing(http.server.BaseHTTPRequestHandler):
    """Where the short link is to lead."""

    def do_GET(self):
        body = b"<!doctype html><title>Arrived</title><p>The end of a long way"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def shorten_and_follow(browser, page, long):
    browser.open(page)
    assert browser.read("document.title") == "Short links"
    before = browser.read("document.querySelectorAll('li').length")

    browser.click("input[name=url]")
    browser.type(long)
    browser.loads(lambda: browser.click("button"))
    assert browser.read("location.pathname") == "/links", browser.read("location.href")
    link = browser.read("document.body.innerText").strip()
    assert re.fullmatch(r"[\w-]{6}", link), link

    browser.open(page)
    assert browser.read("document.querySelectorAll('li').length") == before + 1
    assert long in browser.read("document.body.innerText")
    browser.loads(lambda: browser.click(f'a[href="{link}"]'))
    assert browser.read("location.href") == long, browser.read("location.href")
    assert browser.read("document.title") == "Arrived"

    # What is no link is refused, in words that the page's user sees.
    browser.open(page)
    browser.click("input[name=url]")
    browser.type("javascript:alert(1)")
    browser.loads(lambda: browser.click("button"))
    assert "a link begins with http:// or https://" in browser.read("document.body.innerText")


program, page = sys.argv[1:]
landing = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Landing)
threading.Thread(target=landing.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    browser = Browser(program, profile)
    try:
        shorten_and_follow(browser, page, f"http://127.0.0.1:{landing.server_port}/a/long?way=1")
    finally:
        browser.end()
print("the browser was led there")
