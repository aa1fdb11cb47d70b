//! `drop-shop`: the whole service assembled, in one process and one binary.

mod counted;
mod demo;
mod page;
mod serve;
mod settings;
mod stores;
mod taken;

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use axum::Router;
use axum::routing::get;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use drop_core::DropService;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::settings::{RateLimit, Settings, StoreSetting};

/// Connections of all kinds at a time, where there are file descriptors for so many.
const CONNECTIONS: usize = 16_384;
/// File descriptors beside connections: the store, the log, the runtime.
const OTHER_FILES: u64 = 256;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    let (bind, store) = match (settings.bind(), settings.store()) {
        (Ok(bind), Ok(store)) => (bind, store),
        (Err(message), _) | (_, Err(message)) => {
            Settings::command().error(ErrorKind::ValueValidation, message).exit()
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(&settings, bind, &store).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut reasons = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                reasons.push_str(": ");
                reasons.push_str(&cause.to_string());
                source = cause.source();
            }
            eprintln!("drop-shop: {reasons}");
            ExitCode::FAILURE
        }
    }
}

async fn run(
    settings: &Settings,
    bind: SocketAddr,
    store: &StoreSetting,
) -> Result<(), Box<dyn Error>> {
    let hold = settings.hold()?;
    let stop = stop_signal()?;
    // Bound first: whoever's port is taken hears it before a store is opened.
    let listener = TcpListener::bind(bind)
        .await
        .map_err(|error| format!("cannot listen on {bind}: {error}"))?;
    let address = listener.local_addr()?;

    let store = stores::open(store, settings.pool_size).await?;
    let (service, workers) = DropService::builder_shared(store).hold(hold).build();
    let random_key = settings.admin_key().is_none().then(random_key).transpose()?;
    let admin_key = settings.admin_key().or(random_key.as_ref()).cloned().unwrap_or_default();
    let connections = connections();
    let (reserves, purchases) = match settings.rate_limit {
        RateLimit::Off => (None, None),
        RateLimit::PerMinute(reserves, purchases) => (Some(reserves), Some(purchases)),
    };
    let (api, hub) = drop_http::builder(service.clone())
        .admin_key(admin_key)
        .cors(settings.cors_origin.clone())
        .reserves_per_minute(reserves)
        .purchases_per_minute(purchases)
        // Sockets are connections too: half of them stay for requests.
        .max_sockets(u32::try_from(connections / 2).unwrap_or(u32::MAX))
        .build();
    let router = Router::new()
        .route("/", get(page::serve))
        .route("/favicon.svg", get(page::serve))
        .route("/css/{*file}", get(page::serve))
        .route("/js/{*file}", get(page::serve))
        // Beside the API's routes: one router to look through, and its answer to what is neither.
        .merge(api);

    let idle = CancellationToken::new();
    let working = tokio::spawn(workers.run(idle.clone()));
    let feeding = tokio::spawn(hub.run(stop.clone()));
    if settings.demo(address) {
        let made = demo::fill(&service).await?;
        tracing::info!(made, "demo drops");
    }
    announce(&service, address, random_key.as_ref())?;

    // First no more requests and goodbye to the sockets, then what was accepted, then the end.
    serve::serve(listener, router, connections, stop).await;
    feeding.await?;
    idle.cancel();
    working.await?;
    Ok(())
}

/// One line for people and scripts; the key on a line of its own, this once.
fn announce(
    service: &DropService,
    address: SocketAddr,
    random_key: Option<&SecretString>,
) -> std::io::Result<()> {
    let durable = if service.is_durable() { "durable" } else { "not durable" };
    let mut out = std::io::stdout().lock();
    writeln!(out, "drop-shop at http://{address}, store {} ({durable})", service.describe_store())?;
    if let Some(key) = random_key {
        writeln!(
            out,
            "admin key for this run (set ADMIN_API_KEY to keep one): {}",
            key.expose_secret()
        )?;
    }
    out.flush()
}

/// Cancelled at SIGTERM and SIGINT.
fn stop_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let (mut arrived, stop) = (signal(kind)?, stop.clone());
        tokio::spawn(async move {
            arrived.recv().await;
            stop.cancel();
        });
    }
    Ok(stop)
}

/// 256 bits that nobody knows.
fn random_key() -> Result<SecretString, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(hex.into())
}

/// As many connections as there are file descriptors for, after asking for all there are.
fn connections() -> usize {
    let wanted = u64::try_from(CONNECTIONS).unwrap_or(u64::MAX).saturating_add(OTHER_FILES);
    let files = rlimit::increase_nofile_limit(wanted).unwrap_or(1024);
    usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(CONNECTIONS).clamp(1, CONNECTIONS)
}
