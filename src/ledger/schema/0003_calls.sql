-- Calls that others than workers tell of, and events that wait for a price.

-- How the event came to be, as JSON; NULL where a worker told it with its amount.
ALTER TABLE event ADD COLUMN origin TEXT;

-- Where charged calls stand in their traces: whoever tells of a span above or below must find them. A call has a row for each span that tells
-- it, with the seq of its first entry. Ids are bytes, those of the ancestors one behind the other, the nearest first. Rows go with the ids
-- of their events.
CREATE TABLE call_span (
    trace     BLOB NOT NULL,
    span      BLOB NOT NULL,
    seq       INTEGER NOT NULL,
    ancestors BLOB NOT NULL,
    is_rooted INTEGER NOT NULL,
    checksum  INTEGER NOT NULL,
    PRIMARY KEY (trace, span, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX call_span_seq ON call_span (seq);

-- The events whose amount waits for a price, by the seq of their first entry. The usage is a JSON array of the names of what was counted.
CREATE TABLE unpriced (
    seq      INTEGER PRIMARY KEY,
    time_ns  INTEGER NOT NULL,
    service  TEXT NOT NULL,
    model    TEXT NOT NULL,
    usage    TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
