-- A ledger of format 2, read as one of the newest: what it lacks is empty.
CREATE TEMP VIEW event AS SELECT *, NULL AS origin FROM main.event;
CREATE TEMP TABLE call_span (trace, span, seq, ancestors, is_rooted, checksum);
CREATE TEMP TABLE unpriced (seq, time_ns, service, model, usage, checksum);
