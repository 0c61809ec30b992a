"""Opens an HTML report in Chromium as a reader does, with keys and at several widths: python report_page.py FILE…

Prints a line of JSON for each file: what was asked for over the network, what the console said, whether something is
wider than the screen, which tests are seen without JavaScript, which test has the focus after which keys, and how many
a search leaves. The files are opened from disk, so that nothing but the page itself can be asked for.
"""

import asyncio
import json
import os
import pathlib
import shutil
import sys
import tempfile

from websockets.asyncio.client import connect

import browser

WIDTHS = (360, 800, 1440, 1920)
SEEN = "[...document.querySelectorAll('.test')].filter(t => t.checkVisibility()).map(t => t.querySelector('h3').textContent)"
FOCUS = "document.activeElement.closest('.test')?.querySelector('h3').textContent ?? document.activeElement.id"
# Not the document's width, which hides what is cut off, but that of every element that is drawn and does not scroll.
WIDE = """[...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('svg')
    && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.outerHTML.slice(0, 99))"""
SETTLED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


class Page(browser.Page):
    def __init__(self, devtools):
        super().__init__(devtools)
        self.requests = []
        self.console = []

    async def receive(self):
        """As the browser's own, but with what is asked for and said kept instead of printed."""
        async for text in self.devtools:
            message = json.loads(text)
            params = message.get("params", {})
            match message.get("method"):
                case None:
                    reply = self.replies.pop(message["id"])
                    if "error" in message:
                        reply.set_exception(RuntimeError(message["error"]["message"]))
                    else:
                        reply.set_result(message["result"])
                case "Page.loadEventFired":
                    self.loaded.set()
                case "Network.requestWillBeSent":
                    self.requests.append(params["request"]["url"])
                case "Runtime.consoleAPICalled":
                    self.console.append(json.dumps(params["args"]))
                case "Runtime.exceptionThrown":
                    self.console.append(params["exceptionDetails"]["text"])
                case "Log.entryAdded":
                    self.console.append(params["entry"]["text"])
                case "Page.javascriptDialogOpening":
                    self.console.append(f"dialog: {params['message']}")
                    await self.devtools.send(
                        json.dumps({"id": 0, "method": "Page.handleJavaScriptDialog", "params": {"accept": True},
                                    "sessionId": self.session})
                    )

    async def attach(self):
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.call(f"{domain}.enable")

    async def go(self, url):
        self.loaded.clear()
        # Away first, as the same address with another fragment is not loaded again.
        await self.call("Page.navigate", url="about:blank")
        await self.loaded.wait()
        self.loaded.clear()
        await self.call("Page.navigate", url=url)
        await self.loaded.wait()

    async def ask(self, expression):
        result = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"]))
        return result["result"].get("value")

    async def press(self, *keys):
        for key in keys:
            codes = {"Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "Enter": 13, "Tab": 9}
            code = codes.get(key, ord(key[0].upper()))
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            same = {"key": key, "windowsVirtualKeyCode": code}
            await self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **same)
            await self.call("Input.dispatchKeyEvent", type="keyUp", **same)
        await self.ask(SETTLED)

    async def at_width(self, width, theme="light"):
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": theme}]
        await self.call("Emulation.setEmulatedMedia", media="", features=features)
        await self.ask(SETTLED)


async def look_at(page, url):
    seen = {"url": url, "wide": {}}
    page.requests.clear()
    page.console.clear()
    await page.go(url)
    for width in WIDTHS:
        await page.at_width(width)
        await page.ask("document.querySelectorAll('details').forEach(part => part.open = true)")
        seen["wide"][width] = [await page.ask("document.documentElement.scrollWidth > innerWidth"), await page.ask(WIDE)]

    colours = "getComputedStyle(document.body).backgroundColor"
    seen["light"] = await page.ask(colours)
    await page.at_width(1440, "dark")
    seen["dark"] = await page.ask(colours)
    await page.ask("document.getElementById('theme').click()")
    seen["light by the button"] = await page.ask(colours)

    await page.go(url)
    seen["opened"] = await page.ask("[...document.querySelectorAll('.test[open] h3')].map(h => h.textContent)")
    seen["tests"] = await page.ask(SEEN)
    focus = seen["focus"] = []
    for keys in ("j", "j", "ArrowDown", "k", "ArrowUp", "k", "k", "/"):
        await page.press(keys)
        focus.append(await page.ask(FOCUS))
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    await page.press(*"seen 2:")
    seen["searched"] = await page.ask(SEEN)
    seen["told"] = await page.ask("document.getElementById('shown').textContent")
    await page.press("Enter")
    seen["focus found"] = await page.ask(FOCUS)
    seen["focus is seen"] = await page.ask(outline)
    await page.press("/", "Escape")
    seen["search ended"] = await page.ask(SEEN)
    await page.ask("document.querySelector('[name=status][value=failed]').click()")
    seen["failed"] = await page.ask(SEEN)

    last = await page.ask("[...document.querySelectorAll('.messages li[id]')].at(-1).id")
    await page.go(f"{url}#{last}")
    await page.ask(SETTLED)
    seen["a link opens"] = await page.ask(f"document.getElementById('{last}').checkVisibility()")

    await page.call("Emulation.setScriptExecutionDisabled", value=True)
    await page.go(url)
    seen["without script"] = await page.ask(SEEN)
    seen["tools without script"] = await page.ask("document.getElementById('tools').checkVisibility()")
    await page.call("Emulation.setScriptExecutionDisabled", value=False)
    own = (url, "about:blank", "data:")
    seen["requests"] = [it for it in page.requests if not it.startswith(own)]
    seen["console"] = list(page.console)
    return seen


async def main():
    binary = next(filter(None, map(shutil.which, browser.NAMES)), None)
    if not binary:
        sys.exit(f"failed: none of {', '.join(browser.NAMES)} is in PATH")
    with tempfile.TemporaryDirectory(prefix="wiretalk-browser-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            binary,
            *browser.FLAGS,
            f"--user-data-dir={profile}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"HOME": profile},
        )
        try:
            address = await browser.devtools_address(process)
            draining = asyncio.create_task(browser.drain(process.stderr))
            async with connect(address, proxy=None, max_size=None) as devtools:
                page = Page(devtools)
                receiving = asyncio.create_task(page.receive())
                await page.attach()
                for file in sys.argv[1:]:
                    seen = await look_at(page, pathlib.Path(file).resolve().as_uri())
                    print(json.dumps(seen, ensure_ascii=False), flush=True)
                receiving.cancel()
            draining.cancel()
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


if __name__ == "__main__":
    asyncio.run(main())
