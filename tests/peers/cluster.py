"""Clients of three nodes, which should be one server to them.

cluster.py chat URL URL URL    examples/chat.talk, step by step
cluster.py live URL URL URL    examples/live.talk, step by step
cluster.py load URL URL URL    examples/live.talk with 1,000 messages a second, until a line comes on standard input;
                               says `publishing` once it goes, and counts what each node's subscriber gets
cluster.py lost URL URL URL    the same for a talk that tells of lost messages as {"lost":COUNT}: each came, or was told
"""

import asyncio
import json
import sys

import websockets

PATIENCE = 120


async def connect(url):
    return await websockets.connect(url, ping_interval=None, max_queue=None, open_timeout=PATIENCE)


async def said(client):
    return json.loads(await asyncio.wait_for(client.recv(), PATIENCE))


async def expect(client, wanted):
    found = await said(client)
    found.pop("timestamp", None)
    assert found == wanted, f"{found} instead of {wanted}"


async def say(client, **what):
    await client.send(json.dumps(what))


def came(user):
    return {"type": "user_joined", "user_id": user, "message": f"User {user} joined the room"}


def went(user):
    return {"type": "user_left", "user_id": user, "message": f"User {user} left the room"}


async def chat(urls):
    clients = {}
    for user, url in zip(["ann", "bob", "cid"], urls):
        clients[user] = client = await connect(f"{url}?user={user}")
        await expect(client, {"type": "system", "message": "Welcome to the chat!"})
        await say(client, type="join", room="lobby")
        await expect(client, {"type": "history", "room": "lobby", "messages": []})
        for present in clients.values():
            await expect(present, came(user))
    told = []
    for user, client in clients.items():
        text = f"hello from {user}"
        await say(client, type="message", room="lobby", message=text)
        told.append({"type": "message", "room": "lobby", "user_id": user, "message": text})
        for present in clients.values():
            await expect(present, told[-1])
    # Whoever comes to another node is greeted with what was said on all of them.
    clients["dan"] = await connect(f"{urls[2]}?user=dan")
    await expect(clients["dan"], {"type": "system", "message": "Welcome to the chat!"})
    await say(clients["dan"], type="join", room="lobby")
    await expect(clients["dan"], {"type": "history", "room": "lobby", "messages": told})
    for present in clients.values():
        await expect(present, came("dan"))
    # To one user, on whichever node, and to nobody else.
    await say(clients["dan"], type="direct", to="ann", message="psst")
    await expect(clients["ann"], {"type": "direct", "from": "dan", "message": "psst"})
    # To vanish without a close is to leave.
    clients.pop("cid").transport.abort()
    for present in clients.values():
        await expect(present, went("cid"))
    # Whoever leaves has left by the time that the news has been to the broker and back.
    await say(clients.pop("bob"), type="leave", room="lobby")
    for present in clients.values():
        await expect(present, went("bob"))
    await say(clients["ann"], type="message", room="lobby", message="last")
    last = {"type": "message", "room": "lobby", "user_id": "ann", "message": "last"}
    await expect(clients["ann"], last)
    await expect(clients["dan"], last)
    print("the chat is one", flush=True)


async def live(urls):
    first, second, third = [await connect(url) for url in urls]
    for topic in ["a", "b"]:
        await say(second, type="subscribe", topic=topic)
        await say(third, type="subscribe", topic=topic)
    # What a client sends is worked off in its order, so an answer means that the lines before it are played.
    for client in [second, third]:
        await say(client, type="nothing")
        assert (await said(client))["type"] == "error"
    for n in range(20):
        topic = "ab"[n % 2]
        await say(first, type="publish", topic=topic, data={"n": n})
        for client in [second, third]:
            await expect(client, {"type": "update", "topic": topic, "data": {"n": n}})
    late = await connect(urls[2])
    await say(late, type="subscribe", topic="b")
    await expect(late, {"type": "current_data", "topic": "b", "data": {"n": 19}})
    await say(third, type="unsubscribe", topic="a")
    await say(third, type="publish", topic="a", data="x")
    await say(third, type="publish", topic="b", data="y")
    await expect(third, {"type": "update", "topic": "b", "data": "y"})
    await expect(late, {"type": "update", "topic": "b", "data": "y"})
    await expect(second, {"type": "update", "topic": "a", "data": "x"})
    await expect(second, {"type": "update", "topic": "b", "data": "y"})
    print("the feed is one", flush=True)


async def publish(url, stop):
    """Publishes numbers, 1,000 a second, until it is to stop; gives their count."""
    client = await connect(url)
    loop = asyncio.get_running_loop()
    began, count = loop.time(), 0
    while not stop.is_set():
        due = int((loop.time() - began) * 1000)
        while count < due:
            await say(client, type="publish", topic="load", data=count)
            count += 1
        if count >= 500 and not publish.told:
            publish.told = True
            print("publishing", flush=True)
        await asyncio.sleep(0.01)
    await say(client, type="publish", topic="load", data="end")
    return client, count


publish.told = False


async def subscribe(url):
    client = await connect(url)
    await say(client, type="subscribe", topic="load")
    await say(client, type="nothing")
    assert (await said(client))["type"] == "error"
    return client


async def collect(client, told_lost):
    """What came until the end: numbers, and how many are said to be lost."""
    numbers, lost = [], 0
    while True:
        message = await said(client)
        if told_lost and "lost" in message:
            lost += message["lost"]
            continue
        assert message["type"] == "update", message
        if message["data"] == "end":
            return numbers, lost
        numbers.append(message["data"])


async def load(urls, told_lost):
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.run_in_executor(None, lambda: (sys.stdin.readline(), loop.call_soon_threadsafe(stop.set)))
    clients = [await subscribe(url) for url in urls]
    collecting = [asyncio.create_task(collect(client, told_lost)) for client in clients]
    publisher, count = await publish(urls[0], stop)
    for node, task in enumerate(collecting):
        numbers, lost = await asyncio.wait_for(task, PATIENCE)
        assert numbers == sorted(set(numbers)), f"node {node}: each once, and in order"
        missing = count - len(numbers)
        if told_lost:
            # What is told counts what rooms keep, too.
            assert lost >= missing, f"node {node}: {missing} of {count} are missing, {lost} are told"
        else:
            assert missing == 0, f"node {node}: {missing} of {count} are missing"
    await publisher.close()
    which = "came or was told" if told_lost else "once"
    print(f"{count} messages, each {which} and in order, on {len(urls)} nodes", flush=True)


mode, *urls = sys.argv[1:]
asyncio.run({
    "chat": lambda: chat(urls),
    "live": lambda: live(urls),
    "load": lambda: load(urls, False),
    "lost": lambda: load(urls, True),
}[mode]())
