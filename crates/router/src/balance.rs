//! Which of a model's backends takes a request, and who may take it when that one failed.

use std::sync::{Arc, Mutex, PoisonError};

use vsr_types::{Identity, Timestamp};

use crate::{Backend, Model, resilience::Policy};

/// What a pick depends on.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// A number in 0..1; each backend has a share of the interval as large as its weight.
    pub point: f64,
    /// The time now.
    pub now: Timestamp,
    /// What tells the caller apart, where backends are picked by that.
    pub caller: Option<u64>,
}

// === impl Model

impl Model {
    /// The backend for a request; none if no backend has a weight. One that is left out for the moment is picked only if
    /// all are.
    pub fn pick(&self, draw: Draw) -> Option<&Arc<Backend>> {
        let total = *self.cumulative_weights.last()?;
        if total <= 0.0 {
            return None;
        }
        match (self.resilience.policy, draw.caller) {
            (Policy::LeastRequest, _) | (Policy::ConsistentHash, Some(_)) => {
                return self.pick_among(draw, |backend| backend.health.is_available(draw.now));
            }
            (Policy::Weighted, _) | (Policy::ConsistentHash, None) => {}
        }
        let target = draw.point * total;
        let index = self.cumulative_weights.partition_point(|sum| *sum <= target);
        let index = index.min(self.backends.len() - 1);
        let picked = &self.backends[index];
        if self.backends.len() == 1 || picked.health.is_available(draw.now) {
            return Some(picked);
        }
        // What fell to the missing one is shared by the others as everything else is.
        let start = self.cumulative_weights[index] - picked.weight;
        let point = ((target - start) / picked.weight).clamp(0.0, 1.0);
        self.pick_among(Draw { point, ..draw }, |backend| backend.health.is_available(draw.now))
    }

    /// Another backend that can take the bytes that were meant for `failed`, none of which is left out; none if there is
    /// none.
    pub(crate) fn pick_other(&self, draw: Draw, failed: &Backend, tried: &[u64]) -> Option<&Arc<Backend>> {
        let can_take = |other: &Backend| {
            other.health.is_available(draw.now)
                && !tried.contains(&other.identity)
                && other.identity != failed.identity
                && other.is_openai_service == failed.is_openai_service
        };
        self.backends.iter().any(|backend| backend.weight > 0.0 && can_take(backend)).then_some(())?;
        self.pick_among(draw, can_take)
    }

    /// One of those that `is_in` holds for, or of all if it holds for none.
    fn pick_among(&self, draw: Draw, is_in: impl Fn(&Backend) -> bool) -> Option<&Arc<Backend>> {
        let weighted = || self.backends.iter().filter(|backend| backend.weight > 0.0);
        let is_empty = !weighted().any(|backend| is_in(backend));
        let among = || weighted().filter(|backend| is_empty || is_in(backend));
        match (self.resilience.policy, draw.caller) {
            (Policy::ConsistentHash, Some(caller)) => {
                among().min_by(|a, b| a.distance(caller).total_cmp(&b.distance(caller)))
            }
            (Policy::LeastRequest, _) => {
                let load = |backend: &Backend| (f64::from(backend.health.in_flight()) + 1.0) / backend.weight;
                let least = among().map(|backend| load(backend)).fold(f64::INFINITY, f64::min);
                share(|| among().filter(|backend| load(backend) <= least), draw.point)
                    .or_else(|| among().next())
            }
            _ => share(among, draw.point),
        }
    }

    /// Has one more of its backends left out by `eject`, unless too many are; says whether it was. One backend after the
    /// other is, or two threads could leave out the last two.
    pub(crate) fn leave_out(&self, now: Timestamp, eject: impl FnOnce() -> bool) -> bool {
        static LEAVING_OUT: Mutex<()> = Mutex::new(());
        let _alone = LEAVING_OUT.lock().unwrap_or_else(PoisonError::into_inner);
        let (ejected, all) = self.ejected(now);
        self.resilience.may_eject(ejected, all) && eject()
    }

    /// How many of its backends are ejected, and how many there are.
    fn ejected(&self, now: Timestamp) -> (usize, usize) {
        let weighted = || self.backends.iter().filter(|backend| backend.weight > 0.0);
        (weighted().filter(|backend| backend.health.is_ejected(now)).count(), weighted().count())
    }

    /// The calls to its backends that are not over.
    pub(crate) fn in_flight(&self) -> u64 {
        self.backends.iter().map(|backend| u64::from(backend.health.in_flight())).sum()
    }
}

/// The backend at `point`, by weight.
fn share<'m, I: Iterator<Item = &'m Arc<Backend>>>(
    backends: impl Fn() -> I,
    point: f64,
) -> Option<&'m Arc<Backend>> {
    let total: f64 = backends().map(|backend| backend.weight).sum();
    let mut left = point * total;
    let mut last = None;
    for backend in backends() {
        last = Some(backend);
        left -= backend.weight;
        if left < 0.0 {
            break;
        }
    }
    last
}

// === impl Backend

impl Backend {
    /// How far it is from a caller: the nearest one takes the caller's requests. Each is nearest to a share of the callers
    /// as large as its weight, and if one goes away only its own callers move (weighted rendezvous hashing, Schindelhauer
    /// and Schomaker 2005).
    fn distance(&self, caller: u64) -> f64 {
        let hash = mixed(caller ^ self.identity);
        let unit = ((hash >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
        -unit.ln() / self.weight
    }
}

/// What tells callers apart: the session if one is stated, else the user, else the key.
pub(crate) fn caller(session: Option<&[u8]>, identity: &Identity) -> Option<u64> {
    let user = || identity.user.as_deref().map(str::as_bytes);
    let key = || identity.key.as_ref().map(|print| print.0.as_slice());
    session.or_else(user).or_else(key).map(hashed)
}

/// The same number for the same bytes in every process (FNV-1a, mixed).
pub(crate) fn hashed(bytes: &[u8]) -> u64 {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mixed(bytes.iter().fold(0xcbf2_9ce4_8422_2325, fold))
}

/// Every bit of the input changes half of the output's (SplitMix64's finaliser, Steele et al. 2014).
fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
