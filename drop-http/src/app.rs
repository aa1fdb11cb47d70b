//! What handlers share.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use drop_core::DropService;

use crate::auth::AdminKey;
use crate::listing::Listing;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::names::VariantNames;
use crate::throttle::Throttle;

/// The state of the router; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Parts>);

/// The parts of an [`App`].
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) service: DropService,
    pub(crate) admin_key: AdminKey,
    pub(crate) reserves: Option<Arc<Throttle>>,
    pub(crate) purchases: Option<Arc<Throttle>>,
    pub(crate) trusted_proxies: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) names: VariantNames,
    pub(crate) listing: Listing,
    pub(crate) live: Arc<Live>,
    pub(crate) metrics: Arc<Metrics>,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
