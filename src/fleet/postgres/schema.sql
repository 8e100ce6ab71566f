-- What a fleet shares. Every amount is a whole number of pico-dollars, 10^-12 USD. What is said to grow never falls. Portable: PostgreSQL 14,
-- CockroachDB, YugabyteDB and Citus run it as it is.
CREATE SCHEMA IF NOT EXISTS lead_factory_fleet;

-- One row. `epoch` is new when the database was set back or made anew, and nothing is granted until `learning_until`; `learned_epoch` is the
-- epoch for which that was begun. `overrides` counts the limits that were set.
CREATE TABLE IF NOT EXISTS lead_factory_fleet.fleet (
    id             integer     PRIMARY KEY CHECK (id = 1),
    version        integer     NOT NULL,
    epoch          bigint      NOT NULL,
    learned_epoch  bigint      NOT NULL,
    learning_until timestamptz NOT NULL,
    overrides      bigint      NOT NULL
);

-- An agent: its ledger. `incarnation` is the process that speaks for it, `place` where that is; empty when it has said farewell. `events` and
-- `event_hash` are the ledger's newest event when all of its sums were here last, under `sums_epoch`. `contested_by`: an agent at another place
-- wanted to speak for it while this one did.
CREATE TABLE IF NOT EXISTS lead_factory_fleet.agent (
    ledger_id    text        PRIMARY KEY,
    incarnation  bigint      NOT NULL,
    place        text        NOT NULL,
    name         text        NOT NULL,
    version      text        NOT NULL,
    time_zone    text        NOT NULL,
    seen_at      timestamptz NOT NULL,
    synced_at    timestamptz NOT NULL,
    events       bigint      NOT NULL,
    event_hash   bigint      NOT NULL,
    sums_epoch   bigint      NOT NULL,
    is_forgotten boolean     NOT NULL,
    contested_by text        NOT NULL,
    contested_at timestamptz
);

-- A budget in one period, as all agents share it. `configured` is the smallest limit of their settings, `in_force` the limit that the newest
-- exchange knew; `recall` grows.
CREATE TABLE IF NOT EXISTS lead_factory_fleet.pool (
    budget      text        NOT NULL,
    definition  text        NOT NULL,
    starts_at   timestamptz NOT NULL,
    configured  numeric     NOT NULL,
    in_force    numeric     NOT NULL,
    claimed     numeric     NOT NULL,
    spent       numeric     NOT NULL,
    held        numeric     NOT NULL,
    agents      integer     NOT NULL,
    chunk       numeric     NOT NULL,
    recall      bigint      NOT NULL,
    tight_until timestamptz NOT NULL,
    PRIMARY KEY (budget, definition, starts_at)
);

-- What one agent may use of a pool, and what it said last. `granted`, `returned`, `lost`, `answered` and, for one incarnation, `seq` grow.
-- `is_carried`: from the period before, and the agent has not spoken yet. `is_set_back`, `is_doubtful`: since it spoke last, its ledger was
-- set back, or another place took over. `doubt_lapses_at`: from when on nobody uses what is in doubt, where its lease had an end.
CREATE TABLE IF NOT EXISTS lead_factory_fleet.lease (
    budget          text        NOT NULL,
    definition      text        NOT NULL,
    starts_at       timestamptz NOT NULL,
    ledger_id       text        NOT NULL,
    incarnation     bigint      NOT NULL,
    seq             bigint      NOT NULL,
    granted         numeric     NOT NULL,
    returned        numeric     NOT NULL,
    spent           numeric     NOT NULL,
    held            numeric     NOT NULL,
    lost            numeric     NOT NULL,
    doubt           numeric     NOT NULL,
    answered        bigint      NOT NULL,
    waits_for       numeric     NOT NULL,
    waiting_since   timestamptz,
    recalled        bigint      NOT NULL,
    configured      numeric     NOT NULL,
    lapses_at       timestamptz,
    doubt_lapses_at timestamptz,
    is_carried      boolean     NOT NULL,
    is_set_back     boolean     NOT NULL,
    is_doubtful     boolean     NOT NULL,
    PRIMARY KEY (budget, definition, starts_at, ledger_id)
);

-- For tables that were made before it.
ALTER TABLE lead_factory_fleet.lease ADD COLUMN IF NOT EXISTS doubt_lapses_at timestamptz;

CREATE INDEX IF NOT EXISTS lease_ledger ON lead_factory_fleet.lease (ledger_id);

-- The newest limit that somebody set for all agents; without `max_spend` that of the settings holds again.
CREATE TABLE IF NOT EXISTS lead_factory_fleet.limit_override (
    budget     text        PRIMARY KEY,
    max_spend  numeric,
    reason     text        NOT NULL,
    actor      text        NOT NULL,
    set_at     timestamptz NOT NULL,
    expires_at timestamptz,
    version    bigint      NOT NULL
);

-- What each agent's ledger adds up to. A row is taken unless it is older.
CREATE TABLE IF NOT EXISTS lead_factory_fleet.sums (
    ledger_id text    NOT NULL,
    day       date    NOT NULL,
    service   text    NOT NULL,
    operation text    NOT NULL,
    total     numeric NOT NULL,
    epoch     bigint  NOT NULL,
    version   bigint  NOT NULL,
    PRIMARY KEY (ledger_id, day, service, operation)
);

CREATE INDEX IF NOT EXISTS sums_day ON lead_factory_fleet.sums (day);
