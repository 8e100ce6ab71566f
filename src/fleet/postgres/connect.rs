//! A connection to the fleet's database.

use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::schema::VERSION;
use super::url::DatabaseUrl;
use super::{DatabaseError, tls};

const VERSION_OF: &str = "SELECT version FROM lead_factory_fleet.fleet WHERE id = 1";

/// A connection, which is gone when this is dropped, with whatever it was about.
#[derive(Debug)]
pub(in crate::fleet) struct Session {
    pub(super) client: Client,
    driver: JoinHandle<()>,
}

impl Session {
    /// Connects, and looks whether there is a fleet of this program's version.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, DatabaseError> {
        let session = Self::connect(url).await?;
        match session.version().await? {
            VERSION => Ok(session),
            found => Err(DatabaseError::OtherSchema { found }),
        }
    }

    /// Connects.
    pub(super) async fn connect(url: &DatabaseUrl) -> Result<Self, DatabaseError> {
        let trust = url.trust.clone();
        // It may read files.
        let tls = tokio::task::spawn_blocking(move || tls::client(&trust)).await.map_err(|_| DatabaseError::TimedOut)??;
        let (client, connection) = url
            .config
            .connect(MakeRustlsConnect::new(tls))
            .await
            .map_err(|source| DatabaseError::Connect { hosts: url.hosts(), source })?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told.
            let _ = connection.await;
        });
        Ok(Self { client, driver })
    }

    /// The version of the tables that are there.
    pub(super) async fn version(&self) -> Result<i32, DatabaseError> {
        let rows = self.client.query_typed(VERSION_OF, &[]).await?;
        rows.first().map_or(Err(DatabaseError::NoSchema), |row| Ok(row.try_get(0)?))
    }

    /// Ends a transaction that is not to be.
    pub async fn give_up(&self) -> Result<(), DatabaseError> {
        Ok(self.client.batch_execute("ROLLBACK").await?)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
