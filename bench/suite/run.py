"""A suite of many small tests against one mock: `wiretalk test` beside pytest with `websockets`.

    python bench/suite/run.py --wiretalk target/release/wiretalk [--files 100] [--tests 10] [--runs 5]

Needs a Python with pytest, pytest-xdist and websockets (bench/suite/requirements.txt). Both suites are made by this
program, say and expect the same, and speak to one `wiretalk serve` on a free port. Each runs in turn, so that a noisy
machine is noisy for both; wall and CPU time are the median of the runs, CPU time that of the runner with all its
children and without the mock.
"""

import argparse
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

MOCK = """\
listen ws://127.0.0.1:0
on > {"op":"subscribe","topic":"{{topic:word}}","id":{{id:int}}}
  < {"op":"subscribed","topic":"{{topic}}","id":{{id}},"token":"{{_:uuid}}"}
  < {"op":"price","topic":"{{topic}}","price":{{_:number(1..100)}}}
on > hello {{name:any}}
  < hello, {{name}}
"""

TALK = """\
test topic {number} of file {file}
connect {url}
> hello number {number}
< hello, number {number}
> {{"op":"subscribe","topic":"t{number}","id":{number}}}
< {{"op":"subscribed","topic":"t{number}","id":{number},"token":"{{{{token:uuid}}}}"}}
  ? {{{{token}}}} != ""
< {{"op":"price","topic":"t{number}","price":{{{{price:number}}}}}}
  ? {{{{price}}}} > 0
>close 1000
<close 1000

"""

PYTEST_HEAD = """\
import asyncio
import json
import uuid

import websockets

"""

PYTEST = """\
def test_topic_{number}_of_file_{file}():
    async def play():
        async with asyncio.timeout(5):
            async with websockets.connect("{url}") as socket:
                await socket.send("hello number {number}")
                assert await socket.recv() == "hello, number {number}"
                await socket.send(json.dumps({{"op": "subscribe", "topic": "t{number}", "id": {number}}}))
                came = json.loads(await socket.recv())
                token = came.pop("token")
                assert came == {{"op": "subscribed", "topic": "t{number}", "id": {number}}}
                assert uuid.UUID(token)
                came = json.loads(await socket.recv())
                price = came.pop("price")
                assert came == {{"op": "price", "topic": "t{number}"}}
                assert price > 0

    asyncio.run(play())


"""


def write(folder: pathlib.Path, url: str, files: int, tests: int) -> None:
    for file in range(files):
        parts = [dict(file=file, number=number, url=url) for number in range(tests)]
        (folder / f"suite_{file:03}.talk").write_text("".join(TALK.format(**part) for part in parts))
        text = PYTEST_HEAD + "".join(PYTEST.format(**part) for part in parts)
        (folder / f"test_suite_{file:03}.py").write_text(text)


def measured(command: list[str], folder: pathlib.Path, expected: str) -> tuple[float, float]:
    """Wall and CPU seconds of a command, which must succeed and say how many passed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0 or expected not in done.stdout:
        sys.exit(f"{command}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wiretalk", required=True, help="a release build of the binary")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--tests", type=int, default=10, help="in each file")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    wiretalk = os.path.abspath(options.wiretalk)
    count = options.files * options.tests
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        mock = folder / "mock.talk"
        mock.write_text(MOCK)
        server = subprocess.Popen(
            [wiretalk, "serve", str(mock), "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True
        )
        try:
            url = next(line for line in server.stdout if "listening on " in line).split("listening on ")[1].split()[0]
            suites = folder / "suites"
            suites.mkdir()
            write(suites, url, options.files, options.tests)
            pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
            commands = {
                "wiretalk test": ([wiretalk, "test", "."], f"{count} passed"),
                "wiretalk test --jobs 1": ([wiretalk, "test", ".", "--jobs", "1"], f"{count} passed"),
                "pytest": (pytest, f"{count} passed"),
                f"pytest -n {os.cpu_count()}": ([*pytest, "-n", str(os.cpu_count())], f"{count} passed"),
            }
            times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
            for _ in range(options.runs):
                for name, (command, expected) in commands.items():
                    times[name].append(measured(command, suites, expected))
        finally:
            server.terminate()
            server.wait(timeout=10)
    print(f"{count} tests in {options.files} files, median of {options.runs} runs\n")
    print("| runner | wall | CPU | wall, ratio |\n| --- | ---: | ---: | ---: |")
    base = statistics.median(wall for wall, _ in times["wiretalk test"])
    for name, pairs in times.items():
        wall = statistics.median(wall for wall, _ in pairs)
        cpu = statistics.median(cpu for _, cpu in pairs)
        print(f"| `{name}` | {wall:.2f} s | {cpu:.2f} s | {wall / base:.1f} |")


if __name__ == "__main__":
    main()
