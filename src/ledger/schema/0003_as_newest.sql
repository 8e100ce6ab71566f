-- A ledger of format 3, read as one of the newest: what it lacks is empty.
CREATE TEMP VIEW event AS SELECT *, NULL AS usage_removed FROM main.event;
CREATE TEMP VIEW reservation AS SELECT *, NULL AS model, NULL AS usage FROM main.reservation;
CREATE TEMP VIEW head AS SELECT *, NULL AS meters_digest, NULL AS overrides, NULL AS overrides_chain FROM main.head;
CREATE TEMP TABLE budget_meter (
    id, budget, definition, limits, counted_from_ns, counted_to, forgotten, tallies_digest, checksum
);
CREATE TEMP TABLE budget_tally (meter, span_start_ns, key, spent, reached, reached_at_ns, counted_to, checksum);
CREATE TEMP TABLE budget_override (seq, budget, limits, reason, actor, timestamp_ns, expires_at_ns, token, checksum);
CREATE TEMP VIEW gate_change AS SELECT *, NULL AS token FROM main.gate_change;
CREATE TEMP VIEW gate_override AS SELECT *, NULL AS token FROM main.gate_override;
