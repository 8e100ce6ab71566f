"""When answers were slow: apart from restarts, how long after one, and what the machine did in the worst seconds."""

import bisect

# A restart's own second belongs to it.
RESTART_SECONDS = 1.0
# How long after one; infinity stands for before any.
AGES_SECONDS = (0.0, 5.0, 10.0, 20.0, 40.0, float("inf"))
SHOWN = 8


class Restarts:
    def __init__(self, restarts):
        self._killed = [killed for killed, _ in restarts]
        self._ready = [ready for _, ready in restarts]

    def near(self, begin, end):
        """Whether any of this time belongs to a restart."""
        # The last one that began before the end; those before it were over even earlier.
        before = bisect.bisect_right(self._killed, end)
        return before > 0 and begin <= self._ready[before - 1] + RESTART_SECONDS

    def apart(self, pairs):
        return [(begin, end) for begin, end in pairs if not self.near(begin, end)]

    def seconds_since(self, at):
        before = bisect.bisect_right(self._ready, at)
        return at - self._ready[before - 1] if before else float("inf")


def quantile(ordered, share):
    """Nearest rank."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def by_age(kind, pairs, restarts):
    """How times go down again after a restart, when much of what is kept in memory has to be read anew."""
    times_ms = {age: [] for age in AGES_SECONDS}
    for begin, end in pairs:
        since = restarts.seconds_since(begin)
        times_ms[max(age for age in AGES_SECONDS if age <= since)].append((end - begin) * 1000)
    for age, those_ms in times_ms.items():
        if those_ms:
            those_ms.sort()
            when = "before any restart" if age == float("inf") else f"from {age:g} s after a restart on"
            text = f"p50 {quantile(those_ms, 0.5):.2f}, p99 {quantile(those_ms, 0.99):.2f}, max {those_ms[-1]:.1f} ms"
            yield f"{kind}, {when}: {len(those_ms):,}, {text}"


def slowest(kind, pairs, result):
    """The seconds with the slowest answers. A program that nobody lets run is not slow, nor one whose disk is."""
    worst = {}
    for begin, end in pairs:
        second = int(begin - result.begin)
        worst[second] = max(worst.get(second, 0.0), end - begin)
    for second, took in sorted(worst.items(), key=lambda item: -item[1])[:SHOWN]:
        least, most = result.begin + second - 1.0, result.begin + second + 1.0 + took
        disk = max((seconds for at, seconds in result.disk_samples if least <= at <= most), default=0.0)
        waited = [sample.waited_seconds for sample in result.samples if least - 1.0 <= sample.at <= most]
        core = waited[-1] - waited[0] if waited else 0.0
        text = f"about then the disk alone took {disk * 1000:.0f} ms, and the program's threads waited {core:.1f} s for a core"
        yield f"{kind}, at {second} s: {took * 1000:,.0f} ms; {text}"
