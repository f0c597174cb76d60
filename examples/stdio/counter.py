"""The rules of a room, as examples/stdio/counter.rs runs them: counts what members say.

Reads what happens from standard input and writes what is to be done to standard output, a line of JSON each.
"""

import json
import sys

count = 0


def do(what, **fields):
    print(json.dumps({"type": what, **fields}), flush=True)


for line in sys.stdin:
    told = json.loads(line)
    if told["type"] == "connect":
        do("send", to=told["member"], text=f"value: {count}")
    elif told["type"] == "message" and told.get("text") == "increment":
        count += 1
        do("send", to="all", text=f"new value: {count}")
    elif told["type"] == "error":
        print(told["text"], file=sys.stderr)
