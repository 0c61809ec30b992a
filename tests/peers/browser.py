"""A headless Chromium that opens a page and does in it what the input says: python browser.py URL FLAG…

It speaks the DevTools protocol over the browser's own WebSocket. Prints "loaded URL" once the page has loaded. Then
each line of input is a JavaScript expression; its value, awaited if it is a promise, is printed as "value: JSON", and
what it throws as "threw: TEXT". A line "until EXPRESSION" waits for the expression to become true in the page, and
prints its value. What the page logs is printed as "console: TEXT". At the end of input the browser is closed.
"""

import asyncio
import itertools
import json
import os
import shutil
import sys
import tempfile

from websockets.asyncio.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
UNTIL = """new Promise((resolve, reject) => {
    const look = () => {
        try {
            const value = (EXPRESSION);
            if (value) { clearInterval(timer); resolve(value); }
        } catch (error) { clearInterval(timer); reject(error); }
    };
    const timer = setInterval(look, 10);
    look();
})"""


class Page:
    """One page of the browser, by its DevTools session."""

    def __init__(self, devtools):
        self.devtools = devtools
        self.ids = itertools.count(1)
        self.replies = {}
        self.loaded = asyncio.Event()
        self.session = None

    async def call(self, method, **params):
        message = {"id": next(self.ids), "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        reply = self.replies[message["id"]] = asyncio.get_running_loop().create_future()
        await self.devtools.send(json.dumps(message))
        return await reply

    async def receive(self):
        async for text in self.devtools:
            message = json.loads(text)
            if "id" in message:
                reply = self.replies.pop(message["id"])
                if "error" in message:
                    reply.set_exception(RuntimeError(message["error"]["message"]))
                else:
                    reply.set_result(message["result"])
            elif message["method"] == "Page.loadEventFired":
                self.loaded.set()
            elif message["method"] == "Runtime.consoleAPICalled":
                parts = (str(arg.get("value", arg.get("description"))) for arg in message["params"]["args"])
                say("console", " ".join(parts))

    async def open(self, url):
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self.session = attached["sessionId"]
        await self.call("Page.enable")
        await self.call("Runtime.enable")
        result = await self.call("Page.navigate", url=url)
        if "errorText" in result:
            sys.exit(f"failed {result['errorText']}")
        await self.loaded.wait()

    async def evaluate(self, expression):
        result = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in result:
            thrown = result["exceptionDetails"]
            say("threw", thrown.get("exception", {}).get("description", thrown["text"]))
        else:
            say("value", json.dumps(result["result"].get("value"), ensure_ascii=False))


def say(kind, text):
    shown = text.replace("\n", "\\n")
    print(f"{kind}: {shown}", flush=True)


async def devtools_address(browser):
    said = []
    while line := await browser.stderr.readline():
        said.append(line.decode(errors="replace").rstrip())
        _, found, address = said[-1].partition("DevTools listening on ")
        if found:
            return address
    sys.exit("failed: the browser ended before it listened:\n" + "\n".join(said))


async def drain(stream):
    while await stream.read(65536):
        pass


async def main():
    url = sys.argv[1]
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if not binary:
        sys.exit(f"failed: none of {', '.join(NAMES)} is in PATH")
    with tempfile.TemporaryDirectory(prefix="wiretalk-browser-", ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            binary,
            *FLAGS,
            *sys.argv[2:],
            f"--user-data-dir={profile}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"HOME": profile},
        )
        try:
            address = await devtools_address(browser)
            draining = asyncio.create_task(drain(browser.stderr))
            async with connect(address, proxy=None, max_size=None) as devtools:
                page = Page(devtools)
                receiving = asyncio.create_task(page.receive())
                await page.open(url)
                print(f"loaded {url}", flush=True)
                while line := await asyncio.to_thread(sys.stdin.readline):
                    word, _, rest = line.strip().partition(" ")
                    await page.evaluate(UNTIL.replace("EXPRESSION", rest) if word == "until" else line)
                receiving.cancel()
            draining.cancel()
        finally:
            if browser.returncode is None:
                browser.terminate()
            await browser.wait()


if __name__ == "__main__":
    asyncio.run(main())
