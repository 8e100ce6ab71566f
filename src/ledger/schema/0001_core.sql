-- Amounts of one event are integers of pico-dollars (1e-12 USD); sums are exact decimal texts in USD, because they outgrow
-- 64 bits. Times are integers of nanoseconds since 1970 UTC. Days are local to the time zone named in meta.
-- Every row carries a checksum over its table's name and its columns.

CREATE TABLE meta (
    key      TEXT PRIMARY KEY,
    value    TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was recorded, in the order in which it was: facts only, so no day, which depends on the zone. Never changed; removed only by retention, oldest segment first.
CREATE TABLE event (
    seq              INTEGER PRIMARY KEY,
    recorded_at_ns   INTEGER NOT NULL,
    time_ns          INTEGER NOT NULL,
    time_given       INTEGER NOT NULL,
    source           TEXT NOT NULL,
    id               TEXT NOT NULL,
    service          TEXT NOT NULL,
    operation        TEXT NOT NULL,
    kind             TEXT NOT NULL,
    amount_pico      INTEGER NOT NULL,
    worker           TEXT,
    batch_id         TEXT,
    lead_id          TEXT,
    model            TEXT,
    usage            TEXT,
    duration_seconds REAL,
    outcome          TEXT NOT NULL,
    attributes       TEXT,
    reservation      INTEGER,
    checksum         INTEGER NOT NULL
) STRICT;

-- What the events add up to by day, service and operation, up to the one that the head row names.
CREATE TABLE rollup_pair (
    day         TEXT NOT NULL,
    service     TEXT NOT NULL,
    operation   TEXT NOT NULL,
    charges_usd TEXT NOT NULL,
    credits_usd TEXT NOT NULL,
    events      INTEGER NOT NULL,
    checksum    INTEGER NOT NULL,
    PRIMARY KEY (day, service, operation)
) STRICT, WITHOUT ROWID;

-- One row a day: its total, and a digest over its rows in rollup_pair.
CREATE TABLE rollup_day (
    day          TEXT PRIMARY KEY,
    pairs        INTEGER NOT NULL,
    pairs_digest INTEGER NOT NULL,
    charges_usd  TEXT NOT NULL,
    credits_usd  TEXT NOT NULL,
    events       INTEGER NOT NULL,
    checksum     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The metric series since the ledger began: the names that were taken, and their counters.
CREATE TABLE series (
    service     TEXT NOT NULL,
    operation   TEXT NOT NULL,
    charges_usd TEXT NOT NULL,
    credits_usd TEXT NOT NULL,
    events      INTEGER NOT NULL,
    checksum    INTEGER NOT NULL,
    PRIMARY KEY (service, operation)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_series (
    service  TEXT NOT NULL,
    model    TEXT NOT NULL,
    kind     TEXT NOT NULL,
    count    TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (service, model, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE gate_change (
    seq          INTEGER PRIMARY KEY,
    timestamp_ns INTEGER NOT NULL,
    active       INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    mode         TEXT NOT NULL,
    actor        TEXT NOT NULL,
    checksum     INTEGER NOT NULL
) STRICT;

-- What an operator says the gate is to be; no row while it follows the budgets.
CREATE TABLE gate_override (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    active        INTEGER NOT NULL,
    reason        TEXT NOT NULL,
    actor         TEXT NOT NULL,
    since_ns      INTEGER NOT NULL,
    expires_at_ns INTEGER,
    checksum      INTEGER NOT NULL
) STRICT;

-- Money set aside, in the order in which it was granted. A row changes when its hold is extended, lapses or ends.
CREATE TABLE reservation (
    seq            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL,
    id_given       INTEGER NOT NULL,
    service        TEXT NOT NULL,
    operation      TEXT NOT NULL,
    estimated_pico INTEGER NOT NULL,
    ttl_seconds    INTEGER NOT NULL,
    worker         TEXT,
    batch_id       TEXT,
    lead_id        TEXT,
    critical       INTEGER NOT NULL,
    created_at_ns  INTEGER NOT NULL,
    expires_at_ns  INTEGER NOT NULL,
    ended_at_ns    INTEGER,
    state          TEXT NOT NULL,
    amount_pico    INTEGER,
    reason         TEXT,
    event_seq      INTEGER,
    checksum       INTEGER NOT NULL
) STRICT;

-- An index over all ids would dirty a page of its own for each random id. Committed reservations are found by their event, whose id
-- is indexed anyway and which names them; those that are held are in memory.
CREATE INDEX reservation_open ON reservation (state, seq) WHERE state IN ('held', 'expired');
CREATE INDEX reservation_unpaid ON reservation (id) WHERE state IN ('expired', 'released');

-- One row: where the ledger stands after its newest rollup, with chains and digests over everything above. Events with a higher
-- seq were recorded since; the sums do not count them yet. What it says of reservations is always the newest.
CREATE TABLE head (
    one                 INTEGER PRIMARY KEY CHECK (one = 1),
    rollups             INTEGER NOT NULL,
    events              INTEGER NOT NULL,
    event_chain         INTEGER NOT NULL,
    last_recorded_at_ns INTEGER,
    pruned_segments     INTEGER NOT NULL,
    forgotten_blocks    INTEGER NOT NULL,
    days_digest         INTEGER NOT NULL,
    series_digest       INTEGER NOT NULL,
    usage_digest        INTEGER NOT NULL,
    gate_changes        INTEGER NOT NULL,
    gate_activations    INTEGER NOT NULL,
    gate_chain          INTEGER NOT NULL,
    gate_override       INTEGER NOT NULL,
    reservations        INTEGER NOT NULL,
    held                INTEGER NOT NULL,
    held_digest         INTEGER NOT NULL,
    expired             INTEGER NOT NULL,
    checksum            INTEGER NOT NULL
) STRICT;

-- Every 16,384 events make a segment. It knows the days that occur in it and carries the chain at its end.
CREATE TABLE segment (
    segment               INTEGER PRIMARY KEY,
    newest_recorded_at_ns INTEGER NOT NULL,
    days                  TEXT NOT NULL,
    event_chain           INTEGER NOT NULL,
    checksum              INTEGER NOT NULL
) STRICT;

-- The index of ids: (hash, place) sorted by keyed hash, in 1,024 buckets for every 16 segments. Each segment's ids are in its own
-- 64 buckets, by the hash's top 6 bits, until the 16th is closed; then all are sorted anew, by the top 10.
CREATE TABLE id_bucket (
    bucket   INTEGER PRIMARY KEY,
    entries  BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

-- Every 16 segments make a block, whose filter says "certainly not here" without looking at its buckets.
CREATE TABLE id_block_filter (
    block    INTEGER PRIMARY KEY,
    bits     BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

-- What the receivers of webhooks are told. A topic is told once: "this budget, this state, this period". The newest row always
-- stays, so that no seq is used twice.
CREATE TABLE webhook_message (
    seq           INTEGER PRIMARY KEY,
    topic         TEXT NOT NULL UNIQUE,
    kind          TEXT NOT NULL,
    created_at_ns INTEGER NOT NULL,
    body          TEXT NOT NULL,
    checksum      INTEGER NOT NULL
) STRICT;

-- Messages that are still to be delivered, by receiver: a hash of its URL, which may be a secret. A row goes when it is delivered
-- or given up.
CREATE TABLE webhook_delivery (
    message            INTEGER NOT NULL,
    receiver           TEXT NOT NULL,
    attempts           INTEGER NOT NULL,
    next_attempt_at_ns INTEGER NOT NULL,
    checksum           INTEGER NOT NULL,
    PRIMARY KEY (message, receiver)
) STRICT, WITHOUT ROWID;
