//! [`RedisScript`]: Redis, where it is installed, as durable as it can be.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Client, Script};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::shop::Shop;

/// The stock is checked, and one hold a customer, in a script that runs at once.
const RESERVE: &str = "\
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then
    return redis.call('HGET', KEYS[2], ARGV[1])
end
if tonumber(redis.call('GET', KEYS[1])) < 1 then
    return false
end
redis.call('DECR', KEYS[1])
local n = redis.call('INCR', KEYS[3])
redis.call('HSET', KEYS[2], ARGV[1], n)
return n";

/// A Redis of this process, with `appendfsync always`. Callers share a connection, and each
/// waits for its own answer.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "the connection has none")]
pub struct RedisScript {
    connection: MultiplexedConnection,
    script: Arc<Script>,
    next: Arc<AtomicI64>,
    _server: Arc<Server>,
}

/// Goes with the last clone.
struct Server {
    _process: Child,
    _directory: TempDir,
}

impl RedisScript {
    /// Its name.
    pub const SERIES: &str = "redis, appendfsync always";
    /// How long a server may take to start.
    const START: Duration = Duration::from_secs(10);

    /// Starts a server; nothing where there is no `redis-server`.
    ///
    /// # Panics
    /// Where there is one and it does not start.
    pub async fn begin() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let port = free_port().await.to_string();
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--dir"])
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let process = match command.spawn() {
            Ok(process) => process,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => panic!("redis-server: {error}"),
        };
        let client = Client::open(format!("redis://127.0.0.1:{port}")).expect("an address");
        let connecting = async {
            loop {
                match client.get_multiplexed_async_connection().await {
                    Ok(connection) => return connection,
                    Err(_not_yet) => sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let connection = tokio::time::timeout(Self::START, connecting).await;
        Some(Self {
            connection: connection.expect("redis-server answers"),
            script: Arc::new(Script::new(RESERVE)),
            next: Arc::new(AtomicI64::new(1)),
            _server: Arc::new(Server { _process: process, _directory: directory }),
        })
    }
}

impl Shop for RedisScript {
    fn series(&self) -> &'static str {
        Self::SERIES
    }

    async fn open(&self, stock: u32) -> i64 {
        let drop_id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut connection = self.connection.clone();
        let () = connection.set(format!("stock:{drop_id}"), stock).await.expect("a drop");
        drop_id
    }

    async fn reserve(&self, drop_id: i64, username: String) -> Option<i64> {
        let mut connection = self.connection.clone();
        let mut invocation = self.script.key(format!("stock:{drop_id}"));
        invocation.key(format!("holds:{drop_id}")).key(format!("number:{drop_id}"));
        invocation.arg(username);
        invocation.invoke_async(&mut connection).await.expect("a reserve")
    }

    async fn held(&self, drop_id: i64) -> u64 {
        let mut connection = self.connection.clone();
        connection.hlen(format!("holds:{drop_id}")).await.expect("a count")
    }
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").port()
}
