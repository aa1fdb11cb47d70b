//! [`Cluster`]: a server for tests.

use std::env;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::sync::OnceCell;

use super::ClusterError;
use super::address::url;
use super::database::{Database, Template};
use super::guardian::Guardian;
use super::programs::Programs;

/// How the private server differs from its defaults. It stays as durable as it is; only its
/// housekeeping is rarer, which with a hundred databases would be most of its work.
const SETTINGS: [(&str, &str); 8] = [
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("max_connections", "300"),
    ("shared_buffers", "128MB"),
    ("fsync", "on"),
    ("autovacuum_naptime", "10min"),
    ("checkpoint_timeout", "30min"),
    ("max_wal_size", "1GB"),
];

/// A file system in memory, where a machine has one.
const MEMORY: &str = "/dev/shm";
/// What must be free there, in KiB.
const MEMORY_NEEDED: u64 = 2 * 1024 * 1024;

/// A PostgreSQL server for tests: a private one on a free port of 127.0.0.1, which goes when
/// this value or its process goes; or, with `DATABASE_URL`, somebody else's.
///
/// # Cancel safety
/// Of all its futures: a command to a server is done to its end, also where nobody waits for it
/// any more; a database that nobody was given goes with its server.
#[derive(Debug)]
pub struct Cluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: PgConnectOptions,
    private: Option<Private>,
    template: OnceCell<Template>,
}

#[derive(Debug)]
struct Private {
    guardian: Guardian,
    port: AtomicU16,
    directory: PathBuf,
}

static SHARED: OnceCell<Cluster> = OnceCell::const_new();
static IN_MEMORY: OnceCell<Cluster> = OnceCell::const_new();

impl Cluster {
    /// How long a server may take to start, recovery included.
    const START: Duration = Duration::from_secs(60);

    /// The one of this process, started by whoever asks first.
    ///
    /// # Errors
    /// [`ClusterError`] that says what is missing.
    pub async fn shared() -> Result<&'static Self, ClusterError> {
        SHARED.get_or_try_init(Self::start).await
    }

    /// Another one of this process, whose files are in memory where the machine has room for
    /// that: for many small tests, whose every commit would else wait for a disk. It is as
    /// durable as can be against a crash of the server, and not at all against one of the
    /// machine; figures measured on it say nothing.
    ///
    /// # Errors
    /// [`ClusterError`] that says what is missing.
    pub async fn in_memory() -> Result<&'static Self, ClusterError> {
        if !blocking(|| Ok(has_memory())).await? {
            return Self::shared().await;
        }
        IN_MEMORY
            .get_or_try_init(async || match external()? {
                Some(cluster) => Ok(cluster),
                None => Self::make(Some(MEMORY), &[], &[]).await,
            })
            .await
    }

    /// A new private server, or the one of `DATABASE_URL`.
    ///
    /// # Errors
    /// [`ClusterError`] that says what is missing.
    pub async fn start() -> Result<Self, ClusterError> {
        match external()? {
            Some(cluster) => Ok(cluster),
            None => Self::private(&[]).await,
        }
    }

    /// A new private server with settings of its own, such as `("synchronous_commit", "off")`.
    /// It can be stopped, killed and started again.
    ///
    /// # Errors
    /// [`ClusterError`] that says what is missing.
    ///
    /// # Cancel safety
    /// A server that was made already goes again.
    pub async fn private(settings: &[(&str, &str)]) -> Result<Self, ClusterError> {
        Self::make(None, settings, &[]).await
    }

    /// As [`Cluster::private`], with variables in the server's environment: another clock, by
    /// `LD_PRELOAD`.
    ///
    /// # Errors
    /// [`ClusterError`] that says what is missing.
    ///
    /// # Cancel safety
    /// A server that was made already goes again.
    pub async fn private_with(
        settings: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Result<Self, ClusterError> {
        Self::make(None, settings, environment).await
    }

    /// A private server whose files are in memory, as those of [`Cluster::in_memory`]: for kills,
    /// which take what its processes had in memory and leave its files.
    ///
    /// # Errors
    /// [`ClusterError`] that says what is missing.
    ///
    /// # Cancel safety
    /// A server that was made already goes again.
    pub async fn private_in_memory(settings: &[(&str, &str)]) -> Result<Self, ClusterError> {
        let place = blocking(|| Ok(has_memory())).await?.then_some(MEMORY);
        Self::make(place, settings, &[]).await
    }

    async fn make(
        place: Option<&'static str>,
        settings: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Result<Self, ClusterError> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let settings: Vec<(String, String)> = SETTINGS.iter().chain(settings).map(owned).collect();
        let environment: Vec<String> =
            environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let private = blocking(move || make(place, &settings, &environment)).await?;
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .username("postgres")
            .database("postgres");
        let cluster = Self::over(options, Some(private));
        cluster.restart().await?;
        Ok(cluster)
    }

    /// A new database with the store's schema, apart from all others.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn database(&self) -> Result<Database, ClusterError> {
        let options = self.options();
        let template =
            self.inner.template.get_or_try_init(|| Template::make(options.clone())).await?;
        Database::create(options, template, self.keeps_databases()).await
    }

    /// A new database without any schema.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn empty_database(&self) -> Result<Database, ClusterError> {
        Database::create(self.options(), &Template::empty(), self.keeps_databases()).await
    }

    /// Kills the server and all its processes by SIGKILL, as a crash does.
    ///
    /// # Errors
    /// [`ClusterError::NotOurs`] for a server of `DATABASE_URL`.
    pub async fn kill(&self) -> Result<(), ClusterError> {
        self.tell("kill".to_owned()).await.map(|_| ())
    }

    /// Stops the server in order: what runs is rolled back, sessions are ended.
    ///
    /// # Errors
    /// [`ClusterError::NotOurs`] for a server of `DATABASE_URL`.
    pub async fn stop(&self) -> Result<(), ClusterError> {
        self.tell("stop".to_owned()).await.map(|_| ())
    }

    /// Starts a server that was stopped or killed, at the port it had, and waits until it has
    /// recovered.
    ///
    /// # Errors
    /// [`ClusterError::NotOurs`] for a server of `DATABASE_URL`, [`ClusterError::Failed`] with
    /// its log when it does not start.
    pub async fn restart(&self) -> Result<(), ClusterError> {
        let private = self.inner.private.as_ref().ok_or(ClusterError::NotOurs)?;
        let mut port = private.port.load(Ordering::Relaxed);
        let chosen = port != 0;
        for _ in 0..3 {
            if port == 0 {
                port = free_port()?;
            }
            private.port.store(port, Ordering::Relaxed);
            self.tell(format!("start {port}")).await?;
            let deadline = Instant::now() + Self::START;
            while Instant::now() < deadline && self.tell("alive".to_owned()).await? {
                if let Ok(connection) = PgConnection::connect_with(&self.options()).await {
                    // It answers, which is all there was to know.
                    let _ = connection.close().await;
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.kill().await?;
            // Somebody else may have taken the port since it was seen free.
            port = if chosen { port } else { 0 };
        }
        let output = std::fs::read_to_string(private.directory.join("log")).unwrap_or_default();
        Err(ClusterError::Failed { program: "postgres", output })
    }

    /// The address of the database that others are created from: `postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        url(&self.options())
    }

    /// Where a private server keeps its data and its log.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.inner.private.as_ref().map(|private| private.directory.as_path())
    }

    /// Whether databases stay until the server goes, and whether it goes with this process. On
    /// a disk, removing one costs more than leaving it; memory is to be given back, and somebody
    /// else's server to be left as it was.
    fn keeps_databases(&self) -> [bool; 2] {
        let directory = self.directory();
        let on_disk = directory.is_some_and(|directory| !directory.starts_with(MEMORY));
        [on_disk, directory.is_some()]
    }

    fn over(options: PgConnectOptions, private: Option<Private>) -> Self {
        let template = OnceCell::new();
        Self { inner: Arc::new(Inner { options, private, template }) }
    }

    fn options(&self) -> PgConnectOptions {
        let options = self.inner.options.clone();
        match &self.inner.private {
            Some(private) => options.port(private.port.load(Ordering::Relaxed)),
            None => options,
        }
    }

    async fn tell(&self, command: String) -> Result<bool, ClusterError> {
        let inner = self.inner.clone();
        blocking(move || {
            let private = inner.private.as_ref().ok_or(ClusterError::NotOurs)?;
            private.guardian.tell(&command)
        })
        .await
    }
}

/// Makes a cluster and its guardian, and starts nothing yet.
fn make(
    place: Option<&str>,
    settings: &[(String, String)],
    environment: &[String],
) -> Result<Private, ClusterError> {
    let place = place.map_or_else(env::temp_dir, PathBuf::from);
    let directory = tempfile::Builder::new().prefix("drop-postgres-").tempdir_in(place)?;
    let programs = Programs::find(directory.path())?;
    programs.hand_over(directory.path())?;
    let data = directory.path().join("data");
    programs.initdb(&data)?;
    let settings: Vec<(&str, &str)> =
        settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let command = programs.server(&data, &settings, environment);
    let guardian = Guardian::start(directory.path(), &command)?;
    // From here on the guardian removes it.
    let directory: PathBuf = directory.keep();
    Ok(Private { guardian, port: AtomicU16::new(0), directory })
}

/// The server of `DATABASE_URL`, if that is set.
fn external() -> Result<Option<Cluster>, ClusterError> {
    match env::var("DATABASE_URL") {
        Ok(url) if !url.is_empty() => {
            Ok(Some(Cluster::over(PgConnectOptions::from_str(&url)?, None)))
        }
        _ => Ok(None),
    }
}

/// Whether there is room for a server in memory.
fn has_memory() -> bool {
    let free = Command::new("df").args(["-k", MEMORY]).output().ok().and_then(|output| {
        let table = String::from_utf8(output.stdout).ok()?;
        table.lines().last()?.split_whitespace().nth(3)?.parse::<u64>().ok()
    });
    free.is_some_and(|free| free >= MEMORY_NEEDED)
}

fn free_port() -> Result<u16, ClusterError> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClusterError> + Send + 'static,
) -> Result<T, ClusterError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ClusterError::Io(error.into()))?
}
