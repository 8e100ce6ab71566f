"""Figures against bars."""

import os
from collections import Counter

from . import slow
from .slow import quantile

# How long after a restart memory says nothing about a trend.
SETTLES_SECONDS = 5.0
# An id is remembered in 2 bytes, taken in steps of 4 MiB; memory beyond that must not grow.
ID_BYTES, GROWTH_MAX_MIB = 2, 8.0
RATE_SHARE_MIN = 0.99
# 503 is a promise to take it later; more than this share of the answers is no service.
REFUSED_SHARE_MAX = 0.001
MIB = 1024 * 1024
SAMPLES_LEAST = 5
WORDS = {True: "yes", False: "NO", None: "–"}


class Report:
    def __init__(self, options, result):
        self._options, self._result = options, result
        # figure, measured, bar, met; None where there is no bar
        self.rows = []
        self.details = []
        self._restarts = slow.Restarts(result.restarts)
        self._counts()
        self._times()
        self._memory()
        self._machine()

    def met(self):
        return all(met is not False for *_, met in self.rows)

    def _row(self, figure, measured, bar="", met=None):
        self.rows.append((figure, measured, bar, met))

    def _timed(self, figure, measured, bar, met):
        """A bar that a busy machine can miss."""
        judged = self._options.judge == "all"
        self._row(figure, measured, bar if judged else f"{bar}, not judged", met if judged else None)

    def _counts(self):
        result = self._result
        for name, compared, differences in result.checks:
            self._row(name, compared, "equal to the model", not differences)
            self.details += [f"{name}: {difference}" for difference in differences]
        figures = [figures for _, figures in result.lanes.values()]
        self._row("answers that are wrong", f"{sum(each.wrong for each in figures):,}", "0", not any(each.wrong for each in figures))
        self.details += [example for each in figures for example in each.wrong_examples]
        self._row("never answered", f"{sum(each.unanswered for each in figures):,}", "0", not any(each.unanswered for each in figures))
        self._row("kills", f"{len(result.restarts)}")
        retries = sum((each.retries for each in figures), Counter())
        self._row("sent again after a lost connection", f"{sum(retries.values()):,}")
        self._row("of those, recorded the first time", f"{sum(each.known for each in figures):,} (traces do not say)")
        self.details += [f"sent again: {kind}, {reason}: {number:,}" for (kind, reason), number in retries.most_common(10)]
        self._row("exit code after SIGTERM", f"{result.stop_code} in {result.stop_seconds:.2f} s", "0", result.stop_code == 0)
        errors = [line for line in result.log_lines if '"level":"ERROR"' in line or "panicked" in line]
        self._row("errors in the log", f"{len(errors)} of {len(result.log_lines)} lines", "0", not errors)
        self.details += [f"log: {line[:400]}" for line in (errors or result.log_lines)[:10]]
        self._refusals(figures)

    def _refusals(self, figures):
        refused = sum((each.refused for each in figures), Counter())
        apart = [refusal for each in figures for refusal in each.refusals if not self._restarts.near(refusal[0], refusal[0])]
        others = sum(number for (_, status, _), number in refused.items() if status != 503)
        self._row("5xx that are not 503", f"{others:,}", "0", not others)
        answers = sum(len(times) for each in figures for times in each.answered.values())
        share = len(apart) / max(answers, 1)
        text = f"{len(apart):,} of {sum(refused.values()):,} in all"
        self._timed("5xx apart from restarts", text, f"≤ {REFUSED_SHARE_MAX:.1%} of answers", share <= REFUSED_SHARE_MAX)
        self.details += [f"refused: {kind}, {status} {slug}: {number:,}" for (kind, status, slug), number in refused.most_common(10)]

    def _times(self):
        result, bar_ms = self._result, self._options.single_p99_max_ms
        for name, (per_second, figures) in result.lanes.items():
            offered = figures.drawn / (per_second * result.seconds)
            late_ms = quantile(sorted(figures.late_seconds), 0.99) * 1000
            after = figures.finished_at - result.begin - result.seconds
            busy = figures.cpu_seconds / result.seconds
            rate = f"{figures.drawn / result.seconds:,.1f} of {per_second:,.1f}"
            text = f"{rate}; p99 {late_ms:.1f} ms late; done {after:.1f} s after; {busy:.0%} CPU"
            self._timed(f"{name} sent a second", text, f"≥ {RATE_SHARE_MIN:.0%}", offered >= RATE_SHARE_MIN)
            if late_ms > bar_ms:
                self.details.append(f"{name}: the client is late by itself (p99 {late_ms:.1f} ms): the machine is too busy for such times")
        for name, (_, figures) in result.lanes.items():
            for kind in figures.answered:
                self._latency(kind, figures, bar_ms if kind == "single" else None)
        alone = sorted(seconds * 1000 for _, seconds in result.disk_samples)
        text = f"{quantile(alone, 0.5):.2f}, {quantile(alone, 0.99):.2f}, {quantile(alone, 1.0):.1f}"
        self._row("disk alone, a write and a sync: p50, p99, max, ms", text)
        took = sorted(ready - killed for killed, ready in result.restarts)
        if took:
            self._row("kill to first answer, s", f"{quantile(took, 0.5):.2f} median, {took[-1]:.2f} max")
        self._row("first start", f"{result.first_start_seconds * 1000:.0f} ms")

    def _latency(self, kind, figures, bar_ms):
        pairs = list(zip(figures.began[kind], figures.answered[kind]))
        apart = self._restarts.apart(pairs)
        if not apart:
            return
        took = sorted(end - begin for begin, end in apart)
        p99_ms = quantile(took, 0.99) * 1000
        at_restarts_ms = max(end - begin for begin, end in pairs) * 1000
        text = f"{quantile(took, 0.5) * 1000:.2f}, {p99_ms:.2f}, {took[-1] * 1000:.1f} (with restarts {at_restarts_ms:,.0f})"
        figure = f"{kind}: p50, p99, max, ms"
        if bar_ms is None:
            self._row(figure, text)
        else:
            self._timed(figure, text, f"p99 ≤ {bar_ms:g} ms", p99_ms <= bar_ms)
            self.details += slow.by_age(kind, apart, self._restarts)
            self.details += slow.slowest(kind, apart, self._result)

    def _memory(self):
        result, bar_mib = self._result, self._options.rss_max_mib
        most, at = max(((sample.rss_mib, sample.at) for sample in result.samples), default=(0.0, result.begin))
        since = self._restarts.seconds_since(at)
        text = f"{most:.1f} MiB, at {at - result.begin:.0f} s" + (f", {since:.0f} s after a restart" if since < at else "")
        self._timed("memory, most", text, f"≤ {bar_mib:g} MiB", most <= bar_mib)
        settled = [
            (sample.at, sample.rss_mib)
            for sample in result.samples
            if not any(killed <= sample.at <= ready + SETTLES_SECONDS for killed, ready in result.restarts)
        ]
        second, last = self._fifth(settled, 1), self._fifth(settled, 4)
        if min(len(second), len(last)) < SAMPLES_LEAST:
            return
        before, after = mean(second), mean(last)
        # From the middle of the second fifth to that of the last.
        ids_mib = result.sums.events * 0.6 * ID_BYTES / MIB
        text = f"{before:.1f} → {after:.1f} MiB, of which {ids_mib:.1f} are ids"
        beyond = after - before - ids_mib
        self._timed("memory, second to last fifth", text, f"ids + {GROWTH_MAX_MIB:g} MiB", beyond <= GROWTH_MAX_MIB)

    def _fifth(self, samples, number):
        begin, length = self._result.begin, self._result.seconds / 5
        return [mib for at, mib in samples if number * length <= at - begin < (number + 1) * length]

    def _machine(self):
        result = self._result
        samples = result.samples
        waited = (samples[-1].waited_seconds - samples[0].waited_seconds) / result.seconds if samples else 0.0
        used = result.agent_cpu_seconds / result.seconds
        self._row("program's CPU, cores", f"{used:.2f}; its threads waited for one {waited:.2f} s each second")
        size = result.ledger_bytes
        self._row("ledger", f"{size / 1e6:,.0f} MB, {size / max(result.sums.events, 1):.0f} bytes an event")
        self._row("cores", f"{os.cpu_count()}, nice {os.nice(0)}")
        loads = [sample.load for sample in samples]
        if loads:
            self._row("load average", f"{loads[0]:.1f} at first, {mean(loads):.1f} mean, {max(loads):.1f} max")

    def text(self):
        rows = [("figure", "measured", "bar", "met")] + [(figure, measured, bar, WORDS[met]) for figure, measured, bar, met in self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(lines + ["", *self.details])

    def figures(self):
        keys = ("figure", "measured", "bar", "met")
        return {"seed": self._options.seed, "rows": [dict(zip(keys, row)) for row in self.rows], "details": self.details}


def mean(numbers):
    return sum(numbers) / len(numbers)
