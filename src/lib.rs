//! `lead-factory-metrics`: a sidecar that keeps an exact, durable ledger of what paid calls cost, shows the same numbers on
//! every surface, and says when to stop before the money is gone.
//!
//! # The way of an event
//!
//! A worker sends `POST /costs`. [`net`] bounds the connection, [`api`] the body, and admits the writer; [`formats`] turns bytes into
//! raw events, and [`ingest`] those into valid [`domain::CostEvent`]s, or a list of all that is wrong. They go as one message over a
//! bounded queue to the
//! [`writer`], the one owner of all state. It takes whatever queued while the last commit was on the disk, decides which events
//! are new, and writes them in one synced transaction of the [`ledger`]. Only then does it publish the next [`views`] and answer:
//! whoever has an answer finds the cost on every surface.
//!
//! # The way of a reservation
//!
//! `POST /reservations` queues behind the events. The writer decides it in that order by the rule in [`budget`] that also answers
//! `GET /scaling-gate/check`, against everything decided before it, and writes the hold before it answers. It ends with the event
//! that says what the work cost, by release, or when its time is over. `docs/gate.md` shows how a worker uses it.
//!
//! # The way of a number
//!
//! Every number about money comes from one immutable [`views::Published`]: what the ledger adds up to, and the
//! [`budget`] policy in force. `GET /costs/daily`, `/budgets`, the scaling gate and the metrics of [`telemetry`] read it without
//! waiting for anybody. Old days and groupings that only the events know are read from the ledger on connections of their own.
//!
//! # Failure is start-up
//!
//! A failed commit is answered "send it again", and the views are built anew from the file, by the code that builds them when
//! the process starts. After a failed sync the process ends: what the kernel dropped cannot be asked for again.
//!
//! # In reading order
//!
//! - [`domain`]: money, names, calendar periods, events, reservations. Pure.
//! - [`budget`]: the rules of spending. Pure.
//! - [`views`]: what the ledger adds up to. Pure.
//! - [`ingest`]: raw events to valid ones. Pure.
//! - [`wire`]: the JSON of every answer and message, for both ends.
//! - [`formats`]: bytes to raw events, one format a file. Pure.
//! - [`pricing`]: the book of prices: what a call costs by its usage. Pure.
//! - [`ledger`]: the durable record.
//! - [`transfer`]: export and import: the ledger in other formats, and other records of cost.
//! - [`query`]: questions about cost, answered from memory or from the ledger.
//! - [`page`]: what the page at `/` looks like. Pure. [`people`]: figures as a person reads them.
//! - [`writer`]: decide, commit, publish, answer.
//! - [`rating`]: gives what waits for a price its price.
//! - [`notify`]: webhooks, from the ledger's outbox to their receivers.
//! - [`telemetry`]: metrics, spans and log lines, scraped and pushed.
//! - [`net`]: connections. [`api`]: the resources served on them.
//! - [`config`]: settings in layers. [`cli`]: the verbs. [`app`]: the composition root. [`clock`]: what time it is.
//!   [`systemd`]: word to the service manager. [`error_chain`]: errors with their causes, on one line.

pub mod api;
pub mod app;
pub mod budget;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod error_chain;
pub mod fleet;
pub mod formats;
#[cfg(any(test, fuzzing))]
pub mod fuzz_tests;
pub mod ingest;
pub mod ledger;
pub mod net;
pub mod notify;
pub mod page;
pub mod people;
pub mod pricing;
pub mod query;
pub mod rating;
pub mod systemd;
pub mod telemetry;
pub mod transfer;
pub mod views;
pub mod wire;
pub mod writer;

/// The examples of the guide, compiled.
#[cfg(doctest)]
#[doc = include_str!("../docs/gate.md")]
struct GateGuide;
