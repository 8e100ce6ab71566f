-- Corrections. An event that is told again under a higher revision gets further entries in the same table and chain; the first one
-- stays as it is. Entries that only move an amount have no standing_pico.

-- The revision that the entry tells; NULL is 0.
ALTER TABLE event ADD COLUMN revision INTEGER;
-- The seq of the event's first entry; NULL in that one itself.
ALTER TABLE event ADD COLUMN adjusts INTEGER;
-- What the event costs from this entry on. amount_pico is the difference to what it did before.
ALTER TABLE event ADD COLUMN standing_pico INTEGER;
-- By how much counts have risen.
ALTER TABLE event ADD COLUMN usage_added TEXT;
-- When the ledger from which the entry was imported recorded it.
ALTER TABLE event ADD COLUMN first_recorded_at_ns INTEGER;

-- Nearly all entries adjust nothing, so an index over those that do costs the others nothing.
CREATE INDEX event_adjustment ON event (adjusts) WHERE adjusts IS NOT NULL;

-- When a segment's events happened: the first and the last instant. Segments that were closed before have NULL.
ALTER TABLE segment ADD COLUMN oldest_time_ns INTEGER;
ALTER TABLE segment ADD COLUMN newest_time_ns INTEGER;

-- What was charged since the ledger began by service and model, up to the entry that the head row names.
CREATE TABLE model_series (
    service     TEXT NOT NULL,
    model       TEXT NOT NULL,
    charges_usd TEXT NOT NULL,
    checksum    INTEGER NOT NULL,
    PRIMARY KEY (service, model)
) STRICT, WITHOUT ROWID;

-- A digest over it; NULL until it is filled.
ALTER TABLE head ADD COLUMN models_digest INTEGER;

-- Credits may come long after the ids of their time are forgotten. There are few, so an index of their own costs nothing elsewhere.
CREATE INDEX event_credit ON event (id) WHERE kind = 'credit';

-- When budgets came to their limits. A day's or month's row goes when the next one begins, and all go with another time zone.
CREATE TABLE budget_mark (
    budget        TEXT NOT NULL,
    period        TEXT NOT NULL,
    first_day     TEXT NOT NULL,
    service       TEXT,
    limit_usd     TEXT NOT NULL,
    reached       TEXT NOT NULL,
    reached_at_ns INTEGER,
    checksum      INTEGER NOT NULL,
    PRIMARY KEY (budget, period, first_day)
) STRICT, WITHOUT ROWID;
