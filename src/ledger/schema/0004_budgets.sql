-- What budgets count: for each budget, key and period what was spent of it, up to an entry.

-- By how much counts have fallen; for an entry that moves, what it takes away. Entries that were recorded before do not say.
ALTER TABLE event ADD COLUMN usage_removed TEXT;

-- Budgets may cover a model, and have limits in other units than money.
ALTER TABLE reservation ADD COLUMN model TEXT;
ALTER TABLE reservation ADD COLUMN usage TEXT;

-- budget_tally says the same, and of every budget.
DROP TABLE budget_mark;

-- A budget that is counted. The definition says all that decides what counts, the limits under which of them its tallies say when they
-- were reached. Every entry up to counted_to is counted in its tallies; 0: they are not complete. The digest is one over the tallies.
-- A forgotten meter's row goes when none of its tallies is left.
CREATE TABLE budget_meter (
    id              INTEGER PRIMARY KEY,
    budget          TEXT NOT NULL,
    definition      TEXT NOT NULL,
    limits          TEXT NOT NULL,
    counted_from_ns INTEGER NOT NULL,
    counted_to      INTEGER NOT NULL,
    forgotten       INTEGER NOT NULL,
    tallies_digest  INTEGER NOT NULL,
    checksum        INTEGER NOT NULL
) STRICT;

-- What was spent of a budget under one key in one period, in the smallest parts of each of its units, with commas in between. counted_to is the
-- newest entry that changed it. The period of a budget for ever begins at the least integer.
CREATE TABLE budget_tally (
    meter         INTEGER NOT NULL,
    span_start_ns INTEGER NOT NULL,
    key           TEXT NOT NULL,
    spent         TEXT NOT NULL,
    reached       TEXT NOT NULL,
    reached_at_ns INTEGER,
    counted_to    INTEGER NOT NULL,
    checksum      INTEGER NOT NULL,
    PRIMARY KEY (meter, span_start_ns, key)
) STRICT, WITHOUT ROWID;

-- Limits that were set in place of those of the settings, all of them, oldest first. The newest line of a budget says what holds: a JSON object
-- of its units, or NULL for the settings' limit.
CREATE TABLE budget_override (
    seq           INTEGER PRIMARY KEY,
    budget        TEXT NOT NULL,
    limits        TEXT,
    reason        TEXT NOT NULL,
    actor         TEXT NOT NULL,
    timestamp_ns  INTEGER NOT NULL,
    expires_at_ns INTEGER,
    checksum      INTEGER NOT NULL
) STRICT;

-- A digest over budget_meter, how many lines budget_override has, and the chain over them; NULL is 0.
ALTER TABLE head ADD COLUMN meters_digest INTEGER;
ALTER TABLE head ADD COLUMN overrides INTEGER;
ALTER TABLE head ADD COLUMN overrides_chain INTEGER;
