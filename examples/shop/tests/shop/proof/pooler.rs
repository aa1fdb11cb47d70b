//! pgbouncer in transaction mode between the shop and PostgreSQL.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, Instant};

use drop_core::conformance::history::Recorder;
use drop_core::conformance::{Report, is_long};
use drop_core::model::DropId;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;

use super::shoppers::{Counts, buyers, finished, verdict};
use super::witness::Witness;
use crate::support::{Process, Start, database};

const REPLAY: &str = "cargo test -p drop-shop --test shop -- proof::pooler --test-threads=1";
/// A guard against hanging, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pgbouncer on a free port.
struct Pooler {
    process: Process,
    port: u16,
    folder: TempDir,
}

impl Pooler {
    /// In front of the server at `upstream`, with 4 connections to it per database.
    async fn before(upstream: u16) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        // pgbouncer refuses to be root, and whoever it is reads this.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={upstream} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 4\n\
             max_client_conn = 500\nignore_startup_parameters = extra_float_digits\n"
        );
        std::fs::write(folder.path().join("pgbouncer.ini"), settings).unwrap();
        let process = Self::start(&folder);
        let pooler = Self { process, port, folder };
        pooler.listens().await;
        pooler
    }

    fn start(folder: &TempDir) -> Process {
        let root = std::fs::metadata(folder.path()).unwrap().uid() == 0;
        let installed = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];
        let program = installed.into_iter().find(|path| std::path::Path::new(path).exists());
        let program = program.expect("pgbouncer is not installed (Debian's package pgbouncer)");
        let mut command = if root {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", program]);
            command
        } else {
            Command::new(program)
        };
        command.arg("--quiet").arg(folder.path().join("pgbouncer.ini"));
        Process::start(command)
    }

    async fn listens(&self) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(began.elapsed() < PATIENCE, "pgbouncer does not listen");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills it and starts it again at its port.
    async fn crash(&mut self) {
        self.process.kill().await;
        self.process = Self::start(&self.folder);
        self.listens().await;
    }

    /// The address of a database through it.
    fn url(&self, direct: &str) -> String {
        let port = port(direct);
        let url = direct.replacen(&format!(":{port}"), &format!(":{}", self.port), 1);
        let sign = if url.contains('?') { '&' } else { '?' };
        format!("{url}{sign}statement-cache-capacity=0")
    }
}

/// The port in an address.
fn port(url: &str) -> u16 {
    let (_, host) = url.split_once('@').expect("a user in the address");
    let (_, rest) = host.split_once(':').expect("a port in the address");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a port")
}

#[tokio::test(flavor = "multi_thread")]
async fn pgbouncer_in_transaction_mode() {
    let report = Report::begin("resources", "pgbouncer in transaction mode", REPLAY);
    let turns = if is_long() { 200 } else { 6 };
    let database = database().await;
    let direct = database.url();
    let mut pooler = Pooler::before(port(&direct)).await;
    let start = Start::on(&pooler.url(&direct)).quiet().with(&["--hold-seconds", "300"]);
    // The second comes while the first has the schema's lock behind it.
    let shops = [start.run().await, start.run().await];
    let recorder = Recorder::new();
    let counts = Counts::default();
    let mut drops = Vec::new();
    for _ in 0..6 {
        drops.push(DropId::new(shops[0].api.plain_drop(100_000).await).unwrap());
    }
    let mut crowd = Vec::new();
    for (number, drop_id) in drops.iter().enumerate() {
        let witness = Witness::new(shops[number % 2].api.clone(), &recorder);
        crowd.extend(buyers(&witness, &counts, *drop_id, 8, turns));
    }
    finished(crowd).await;
    assert_eq!((counts.refused(), counts.broken()), (0, 0), "without a fault all are served");

    // What one instance sells the other tells, with hints or without.
    let mut watch = crate::lifecycle::watch(&shops[1]).await;
    let witness = Witness::new(shops[0].api.clone(), &recorder);
    assert_eq!(witness.reserve(drops[0], "seen_elsewhere").await.status, Some(201));
    while watch.change().await["dropId"] != drops[0].get() {}

    // The pooler dies in the middle of it and comes back; the shops stay.
    let again = Recorder::new();
    let late = DropId::new(shops[0].api.plain_drop(100_000).await).unwrap();
    let witness = Witness::new(shops[0].api.clone(), &again);
    let crowd = buyers(&witness, &counts, late, 8, turns * 3);
    witness.read(late).await;
    pooler.crash().await;
    finished(crowd).await;
    let store = database.connect().await.unwrap();
    for drop_id in drops {
        verdict(&recorder, &store, drop_id).await;
    }
    verdict(&again, &store, late).await;
    report
        .figure("drops sold by two instances at once", &7)
        .figure("refusals while the pooler was gone", &counts.refused())
        .save();
}
