//! Putting the router together.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use drop_core::{Clock, DropService, SteadyClock};
use secrecy::SecretString;

use crate::app::{App, Parts};
use crate::auth::AdminKey;
use crate::cors::Cors;
use crate::listing::Listing;
use crate::live::{Bounds, Hub, HubParts, Live};
use crate::metrics::Metrics;
use crate::middleware::Around;
use crate::names::VariantNames;
use crate::throttle::Throttle;
use crate::{middleware, routes, sockets};

/// The settings of the router.
#[derive(Debug)]
pub struct Builder {
    service: DropService,
    clock: Arc<dyn Clock>,
    admin_key: AdminKey,
    cors: Cors,
    reserves_per_minute: Option<NonZeroU32>,
    purchases_per_minute: Option<NonZeroU32>,
    trusted_proxies: usize,
    body_limit: usize,
    request_timeout: Duration,
    bounds: Bounds,
}

impl Builder {
    pub(crate) fn new(service: DropService) -> Self {
        Self {
            service,
            clock: Arc::new(SteadyClock::new()),
            admin_key: AdminKey::default(),
            cors: Cors::default(),
            reserves_per_minute: None,
            purchases_per_minute: None,
            trusted_proxies: 0,
            body_limit: 16 * 1024,
            request_timeout: Duration::from_secs(10),
            bounds: Bounds {
                window: Duration::from_millis(50),
                backlog: 1024,
                ring: 4096,
                sockets: 10_000,
            },
        }
    }

    /// The key that admin routes ask for. Default: none, and they refuse everybody.
    #[must_use]
    pub fn admin_key(mut self, key: SecretString) -> Self {
        self.admin_key = AdminKey::new(key);
        self
    }

    /// Which pages of other origins may read the answers. Default: none.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = cors;
        self
    }

    /// Reservations a minute for each client address. Default: no limit.
    ///
    /// Needs requests that carry `ConnectInfo<SocketAddr>`, as
    /// [`Router::into_make_service_with_connect_info`] provides.
    #[must_use]
    pub fn reserves_per_minute(mut self, limit: Option<NonZeroU32>) -> Self {
        self.reserves_per_minute = limit;
        self
    }

    /// Purchases a minute for each client address. Default: no limit.
    #[must_use]
    pub fn purchases_per_minute(mut self, limit: Option<NonZeroU32>) -> Self {
        self.purchases_per_minute = limit;
        self
    }

    /// How many proxies in front are one's own: the client's address is then the one that the
    /// farthest of them wrote into `X-Forwarded-For`. Default: 0, the header counts for nothing.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: usize) -> Self {
        self.trusted_proxies = proxies;
        self
    }

    /// The largest body in bytes. Default: 16 KiB.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// How long a request may take; half of it for its body. Default: 10 s.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sockets of all transports together. Default: 10,000.
    #[must_use]
    pub fn max_sockets(mut self, sockets: u32) -> Self {
        self.bounds.sockets = sockets;
        self
    }

    /// How long a drop's stock is kept back after it was told; the newest is told then.
    /// Default: 50 ms.
    #[must_use]
    pub fn conflate_within(mut self, window: Duration) -> Self {
        self.bounds.window = window;
        self
    }

    /// How many events a slow socket may be behind before it gets the present state instead.
    /// Default: 1024.
    #[must_use]
    pub fn backlog(mut self, events: usize) -> Self {
        self.bounds.backlog = events;
        self
    }

    /// How many events are kept for SSE clients that resume. Default: 4096.
    #[must_use]
    pub fn resume_events(mut self, events: usize) -> Self {
        self.bounds.ring = events;
        self
    }

    /// What the hub and the sockets sleep by. Default: a [`SteadyClock`], so that the machine's
    /// may be wrong.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The router, and the hub that the host runs beside it.
    pub fn build(self) -> (Router, Hub) {
        let metrics = Arc::new(Metrics::new());
        let app = App::new(Parts {
            service: self.service,
            admin_key: self.admin_key,
            reserves: throttle(self.reserves_per_minute),
            purchases: throttle(self.purchases_per_minute),
            trusted_proxies: self.trusted_proxies,
            request_timeout: self.request_timeout,
            names: VariantNames::default(),
            listing: Listing::default(),
            live: Arc::new(Live::new(self.bounds, self.clock, metrics.clone())),
            metrics,
        });
        let around = Around::new(app.clone());
        // One layer, and not one for each: see there.
        let timed = around.clone().within(self.request_timeout);
        let rest = routes::rest(&app)
            .method_not_allowed_fallback(middleware::no_method)
            .layer((timed, DefaultBodyLimit::max(self.body_limit)));
        let others = routes::probes().merge(sockets::routes());
        #[cfg(feature = "socketio")]
        let (others, io) = {
            let (socketio, io) = sockets::socketio::routes(&app, self.bounds.sockets);
            (others.merge(socketio), io)
        };
        let others = others
            .method_not_allowed_fallback(middleware::no_method)
            .fallback(middleware::no_route)
            .layer(around);
        let router = rest.merge(others);
        let router = match self.cors.layer() {
            Some(cors) => router.layer(cors),
            None => router,
        };
        let hub = Hub::new(HubParts {
            service: app.service.clone(),
            live: app.live.clone(),
            throttles: [&app.reserves, &app.purchases].into_iter().flatten().cloned().collect(),
            metrics: app.metrics.clone(),
            #[cfg(feature = "socketio")]
            io,
        });
        (router.with_state(app), hub)
    }
}

fn throttle(per_minute: Option<NonZeroU32>) -> Option<Arc<Throttle>> {
    per_minute.map(|per_minute| Arc::new(Throttle::per_minute(per_minute)))
}
