#!/usr/bin/env python3
"""What a task costs in asyncio: the workloads of this folder, with gather
and TaskGroup, started lazily and (from Python 3.12) eagerly.

    python3 cpython.py [ROUNDS]

Prints nanoseconds per task, the median and the best of the rounds.
"""

import asyncio
import statistics
import sys
import time

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
FLAT, WAITS = 1000, {"nothing waits": 0, "30 % wait": 30, "all wait": 100}
LEVELS, BRANCHES = 6, 6  # 55,986 tasks


async def leaf(waits):
    if waits:
        await asyncio.sleep(0)


async def gather(coros):
    await asyncio.gather(*coros)


async def group(coros):
    async with asyncio.TaskGroup() as tg:
        for c in coros:
            tg.create_task(c)


async def flat(join, share):
    await join([leaf(i % 100 < share) for i in range(FLAT)])
    return FLAT


async def tree(join, share):
    count = 0

    async def node(level):
        nonlocal count
        count += 1
        if level < LEVELS:
            await join([node(level + 1) for _ in range(BRANCHES)])
        elif count % 100 < share:
            await asyncio.sleep(0)

    await node(0)
    return count


def measure(work, join, share, eager, least):
    async def main():
        if eager:
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await work(join, share)  # warms up
        start, n = time.perf_counter(), 0
        while time.perf_counter() - start < least:
            n += await work(join, share)
        return (time.perf_counter() - start) / n * 1e9

    return asyncio.run(main())


def main():
    eagers = [False, True] if hasattr(asyncio, "eager_task_factory") else [False]
    joins = {"gather": gather} | ({"TaskGroup": group} if hasattr(asyncio, "TaskGroup") else {})
    print(f"Python {sys.version.split()[0]}, {ROUNDS} rounds; ns per task, median (best)\n")
    names = [f"{j}, {'eager' if e else 'lazy'}" for j in joins for e in eagers]
    print("| workload | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for title, work in ("flat group of 1,000", flat), ("tree of 6 levels x 6", tree):
        for waits, share in WAITS.items():
            cells = {name: [] for name in names}
            for _ in range(ROUNDS):
                for j, join in joins.items():
                    for e in eagers:
                        cells[f"{j}, {'eager' if e else 'lazy'}"].append(measure(work, join, share, e, 0.05))
            print(f"| {title}, {waits} | " + " | ".join(
                f"{statistics.median(v):.0f} ({min(v):.0f})" for v in cells.values()) + " |")


main()
