-- A ledger of format 4, read as one of the newest: what it lacks is empty.
CREATE TEMP VIEW gate_change AS SELECT *, NULL AS token FROM main.gate_change;
CREATE TEMP VIEW gate_override AS SELECT *, NULL AS token FROM main.gate_override;
CREATE TEMP VIEW budget_override AS SELECT *, NULL AS token FROM main.budget_override;
