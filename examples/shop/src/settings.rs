//! What the shop is told at start: flags, with environment variables behind them.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use drop_core::model::{HoldPolicy, InvalidTerms};
use drop_http::Cors;
use secrecy::{ExposeSecret, SecretString};

/// Sells limited stock to a crowd: REST, WebSocket, Socket.IO and a page, in one process.
#[derive(Debug, Parser)]
#[command(name = "drop-shop", version)]
pub(crate) struct Settings {
    /// Address to listen on. [default: 127.0.0.1:3001, or 127.0.0.1 with the port in PORT]
    #[arg(long, env = "DROP_BIND")]
    bind: Option<String>,

    /// Only from the environment, which other software shares: the port where --bind is absent.
    #[arg(long, env = "PORT", hide = true)]
    port: Option<String>,

    /// Where drops are kept: file:DIR (embedded, durable), memory, or postgres://...
    /// [default: file:drop-data]
    #[arg(long, env = "DROP_STORE", hide_env_values = true)]
    store: Option<SecretString>,

    /// Only from the environment, which other software shares: the store where --store is absent.
    #[arg(long, env = "DATABASE_URL", hide = true, hide_env_values = true)]
    database_url: Option<SecretString>,

    /// Connections to PostgreSQL at most, and two more for hints of other instances.
    #[arg(long, env = "DROP_POOL_SIZE", default_value = "10")]
    pub(crate) pool_size: NonZeroU32,

    /// How long a unit is held, in seconds; fractions allowed.
    #[arg(long, env = "DROP_HOLD_SECONDS", default_value = "60")]
    hold_seconds: Seconds,

    /// How long repeating may keep a hold, in seconds. [default: 300, or the hold if longer]
    #[arg(long, env = "DROP_LONGEST_HOLD_SECONDS")]
    longest_hold_seconds: Option<Seconds>,

    /// What admin routes ask for, as x-api-key or bearer token. Without it a random one is made
    /// and printed once.
    #[arg(long, env = "ADMIN_API_KEY", hide_env_values = true)]
    admin_key: Option<SecretString>,

    /// Origins that browsers may call from: a comma list, or *. Closed without it.
    #[arg(long, env = "CORS_ORIGIN", default_value = "", hide_default_value = true)]
    pub(crate) cors_origin: Cors,

    /// Reserves and purchases a minute for each client address, as 30,20; or off.
    #[arg(long, env = "DROP_RATE_LIMIT", default_value = "30,20")]
    pub(crate) rate_limit: RateLimit,

    /// Whether to begin with a few drops to look at: on or off. [default: on, when the store is
    /// empty and the address is loopback]
    #[arg(long, env = "DROP_DEMO", num_args = 0..=1, default_missing_value = "on")]
    demo: Option<Switch>,
}

impl Settings {
    const DEFAULT_PORT: u16 = 3001;
    const DEFAULT_LONGEST: Duration = Duration::from_secs(300);

    /// Where to listen.
    ///
    /// # Errors
    /// What is wrong with the address or the port, in words.
    pub(crate) fn bind(&self) -> Result<SocketAddr, String> {
        if let Some(bind) = given(self.bind.as_deref()) {
            let refusal = |_| format!("--bind {bind:?} is no address such as 127.0.0.1:3001");
            return bind.parse().map_err(refusal);
        }
        let port = given(self.port.as_deref()).map_or(Ok(Self::DEFAULT_PORT), |port| {
            port.parse().map_err(|_| format!("PORT {port:?} is no port; or give --bind"))
        })?;
        Ok((Ipv4Addr::LOCALHOST, port).into())
    }

    /// Where drops are kept.
    ///
    /// # Errors
    /// What a store is, in words.
    pub(crate) fn store(&self) -> Result<StoreSetting, String> {
        let store = given(self.store.as_ref().map(ExposeSecret::expose_secret));
        let database = given(self.database_url.as_ref().map(ExposeSecret::expose_secret));
        store.or(database).unwrap_or("file:drop-data").parse()
    }

    /// What admin routes ask for; `None` where a random key has to be made.
    pub(crate) fn admin_key(&self) -> Option<&SecretString> {
        self.admin_key.as_ref().filter(|key| !key.expose_secret().trim().is_empty())
    }

    /// How long a unit is held.
    pub(crate) fn hold(&self) -> Result<HoldPolicy, InvalidTerms> {
        let hold = self.hold_seconds.0;
        let longest = self.longest_hold_seconds.map(|longest| longest.0);
        HoldPolicy::new(hold, longest.unwrap_or(Self::DEFAULT_LONGEST.max(hold)))
    }

    /// Whether an empty store gets drops to look at.
    pub(crate) fn demo(&self, bind: SocketAddr) -> bool {
        self.demo.map_or_else(|| bind.ip().is_loopback(), |demo| demo == Switch::On)
    }
}

/// A setting that is there and not empty: what sets a variable to nothing means not to set it.
fn given(setting: Option<&str>) -> Option<&str> {
    setting.filter(|setting| !setting.trim().is_empty())
}

/// Where drops are kept.
#[derive(Clone)]
pub(crate) enum StoreSetting {
    /// An embedded database in this directory.
    File(PathBuf),
    /// Nowhere: gone at the next start.
    Memory,
    /// A PostgreSQL server; the address may hold a password.
    Postgres(SecretString),
}

impl std::fmt::Debug for StoreSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(directory) => write!(f, "file:{}", directory.display()),
            Self::Memory => f.write_str("memory"),
            Self::Postgres(_) => f.write_str("postgres"),
        }
    }
}

impl FromStr for StoreSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("file", "")) => Err("file: needs a directory, as in file:drop-data".to_owned()),
            Some(("file", directory)) => Ok(Self::File(directory.into())),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(text.into())),
            None if text == "memory" => Ok(Self::Memory),
            // The text may be an address with a password: it is not repeated.
            _ => Err("a store is file:DIR, memory or postgres://USER@HOST/DATABASE".to_owned()),
        }
    }
}

/// A span in seconds.
#[derive(Clone, Copy, Debug)]
struct Seconds(Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refusal = || format!("{text:?} is not a number of seconds");
        let seconds: f64 = text.parse().map_err(|_| refusal())?;
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| refusal())
    }
}

/// How often one address may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateLimit {
    /// As often as it likes.
    Off,
    /// So many reserves and purchases a minute.
    PerMinute(NonZeroU32, NonZeroU32),
}

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let refusal = || format!("{text:?} is neither off nor two counts a minute, as 30,20");
        let (reserves, purchases) = text.split_once(',').ok_or_else(refusal)?;
        let count = |text: &str| text.trim().parse().map_err(|_| refusal());
        Ok(Self::PerMinute(count(reserves)?, count(purchases)?))
    }
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    On,
    Off,
}

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "on" | "true" | "1" | "yes" => Ok(Self::On),
            "off" | "false" | "0" | "no" => Ok(Self::Off),
            _ => Err(format!("{text:?} is neither on nor off")),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{RateLimit, Settings, StoreSetting};

    fn parse(arguments: &[&str]) -> Result<Settings, clap::Error> {
        Settings::try_parse_from(std::iter::once("drop-shop").chain(arguments.iter().copied()))
    }

    #[test]
    fn every_mistake_has_a_message() {
        for (arguments, message) in [
            (["--hold-seconds", "soon"], "not a number of seconds"),
            (["--hold-seconds", "1e99"], "not a number of seconds"),
            (["--rate-limit", "30"], "neither off nor two counts"),
            (["--rate-limit", "0,0"], "neither off nor two counts"),
            (["--demo", "maybe"], "neither on nor off"),
            (["--pool-size", "0"], "zero"),
            (["--cors-origin", "shop"], "not an origin"),
            (["--stroe", "memory"], "--store"),
        ] {
            let error = parse(&arguments).unwrap_err().to_string();
            assert!(error.contains(message), "{arguments:?}: {error}");
        }
        for (store, message) in [("fiel:x", "file:DIR, memory or"), ("file:", "needs a directory")]
        {
            let error = parse(&["--store", store]).unwrap().store().unwrap_err();
            assert!(error.contains(message), "{store}: {error}");
        }
        let error = parse(&["--bind", "localhost"]).unwrap().bind().unwrap_err();
        assert!(error.contains("127.0.0.1:3001"), "{error}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let key = ["--admin-key", "hunter2"];
        let settings = parse(&[&["--store", "postgres://u:hunter2@h/d"], &key[..]].concat());
        let settings = settings.unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
        assert!(matches!(settings.store(), Ok(StoreSetting::Postgres(_))));
        let typo = parse(&["--store", "postgress://u:hunter2@h/d"]).unwrap().store().unwrap_err();
        assert!(!typo.contains("hunter2"), "{typo}");
    }

    #[test]
    fn what_is_empty_is_not_given_and_what_is_shared_gives_way() {
        let settings = parse(&["--admin-key", "", "--store", "", "--port", ""]).unwrap();
        assert!(settings.admin_key().is_none());
        assert!(matches!(settings.store(), Ok(StoreSetting::File(_))));
        assert_eq!(settings.bind().unwrap().port(), 3001);
        let foreign = ["--database-url", "mysql://h/d", "--port", "http"];
        let ours = ["--store", "memory", "--bind", "127.0.0.1:1"];
        let settings = parse(&[foreign, ours].concat()).unwrap();
        assert!(matches!(settings.store(), Ok(StoreSetting::Memory)));
        assert_eq!(settings.bind().unwrap().port(), 1);
    }

    #[test]
    fn holds_and_limits() {
        let settings = parse(&["--hold-seconds", "0.5", "--rate-limit", "off"]).unwrap();
        assert_eq!(settings.hold().unwrap().hold().as_millis(), 500);
        assert_eq!(settings.rate_limit, RateLimit::Off);
        assert!(parse(&["--hold-seconds", "0"]).unwrap().hold().is_err());
        let longer = parse(&["--hold-seconds", "600"]).unwrap().hold().unwrap();
        assert_eq!(longer.longest(), longer.hold());
    }
}
