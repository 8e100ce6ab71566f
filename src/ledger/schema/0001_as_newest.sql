-- A ledger of format 1, read as one of the newest: what it lacks is empty.
CREATE TEMP VIEW event AS
    SELECT *, NULL AS revision, NULL AS adjusts, NULL AS standing_pico, NULL AS usage_added, NULL AS first_recorded_at_ns, NULL AS origin
    FROM main.event;
CREATE TEMP VIEW segment AS SELECT *, NULL AS oldest_time_ns, NULL AS newest_time_ns FROM main.segment;
CREATE TEMP TABLE budget_mark (budget, period, first_day, service, limit_usd, reached, reached_at_ns, checksum);
CREATE TEMP VIEW head AS SELECT *, NULL AS models_digest FROM main.head;
CREATE TEMP TABLE model_series (service, model, charges_usd, checksum);
CREATE TEMP TABLE call_span (trace, span, seq, ancestors, is_rooted, checksum);
CREATE TEMP TABLE unpriced (seq, time_ns, service, model, usage, checksum);
