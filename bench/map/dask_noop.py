#!/usr/bin/env python3
"""No-op map in dask.distributed: tasks a second from submit to all done.

    python3 bench/map/dask_noop.py [TASKS [ROUNDS]]

Runs the configuration as shipped and with worker-saturation at infinity, which
is its best here, in turns; each round has a cluster of its own: two worker
processes of one thread, no dashboard, no memory limit. Prints a Markdown table.
Needs the package distributed (Debian: python3-distributed).
"""

import os
import platform
import statistics
import subprocess
import sys
import time

SATURATION = "DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION"
CONFIGS = {"as shipped": None, "worker-saturation=inf": "inf"}


def noop(_):
    """The task."""


def measure(tasks):
    """Print the seconds that one map of so many tasks takes."""
    from distributed import Client, LocalCluster, wait

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True,
                      memory_limit=0, dashboard_address=None) as cluster, Client(cluster) as client:
        wait(client.map(noop, range(100), pure=False))  # workers are up and have the function
        began = time.perf_counter()
        futures = client.map(noop, range(tasks), pure=False)
        wait(futures)
        took = time.perf_counter() - began
        if any(f.status != "finished" for f in futures):
            sys.exit("some tasks did not finish")
        print(took, flush=True)


def rounds(tasks, count):
    """Run all configurations in turns, each run in a process of its own."""
    times = {name: [] for name in CONFIGS}
    for _ in range(count):
        for name, saturation in CONFIGS.items():
            env = {k: v for k, v in os.environ.items() if k != SATURATION}
            if saturation:
                env[SATURATION] = saturation
            out = subprocess.run([sys.executable, __file__, "--once", str(tasks)], env=env, check=True,
                                 stdout=subprocess.PIPE, text=True).stdout
            times[name].append(float(out.split()[-1]))
    return times


def main():
    if sys.argv[1:2] == ["--once"]:
        return measure(int(sys.argv[2]))
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    try:
        import distributed
    except ImportError:
        sys.exit("dask_noop: needs the Python package distributed (Debian: apt-get install python3-distributed)")
    print(f"{tasks} no-op tasks, 2 worker processes, {count} rounds; distributed {distributed.__version__}, "
          f"Python {platform.python_version()}, {os.cpu_count()} CPUs\n")
    print("| configuration | tasks/s, median [min-max] |\n|---|---|")
    for name, took in rounds(tasks, count).items():
        rates = sorted(tasks / t for t in took)
        print(f"| {name} | {statistics.median(rates):,.0f} [{rates[0]:,.0f}-{rates[-1]:,.0f}] |")


if __name__ == "__main__":
    main()
