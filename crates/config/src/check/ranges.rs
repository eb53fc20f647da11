//! Ranges of numbers.

use vsr_types::{Diagnostic, Path};

use crate::{decode::Decoder, scalars::TimeSpan};

/// Checks the values under one place of the configuration.
pub(super) struct Ranges<'a, 'e> {
    place: Path,
    decoder: &'a mut Decoder<'e>,
}

/// A number that may be absent.
pub(super) trait Number {
    fn number(self) -> Option<f64>;
}

// === impl Ranges

impl<'a, 'e> Ranges<'a, 'e> {
    pub(super) fn of(place: Path, decoder: &'a mut Decoder<'e>) -> Self {
        Self { place, decoder }
    }

    /// From 0 to 1.
    pub(super) fn unit(self, key: &str, value: impl Number) -> Self {
        self.within(key, value, 0.0, 1.0, "from 0 to 1")
    }

    /// At least 0.
    pub(super) fn not_negative(self, key: &str, value: impl Number) -> Self {
        self.within(key, value, 0.0, f64::INFINITY, "at least 0")
    }

    /// At least 1.
    pub(super) fn at_least_one(self, key: &str, value: impl Number) -> Self {
        self.within(key, value, 1.0, f64::INFINITY, "at least 1")
    }

    /// From 1 to 100.
    pub(super) fn percentile(self, key: &str, value: impl Number) -> Self {
        self.within(key, value, 1.0, 100.0, "from 1 to 100")
    }

    /// Above 0.
    pub(super) fn positive(self, key: &str, value: impl Number) -> Self {
        self.within(key, value, f64::MIN_POSITIVE, f64::INFINITY, "above 0")
    }

    fn within(self, key: &str, value: impl Number, least: f64, most: f64, range: &str) -> Self {
        if let Some(number) = value.number()
            && !(least..=most).contains(&number)
        {
            let message = format!("expected a value {range}, found {number}");
            self.decoder.push(Diagnostic::error(self.place.key(key), message));
        }
        self
    }
}

// === impl Number

impl Number for f64 {
    fn number(self) -> Option<f64> {
        Some(self)
    }
}

impl Number for i64 {
    fn number(self) -> Option<f64> {
        Some(self as f64)
    }
}

impl Number for u64 {
    fn number(self) -> Option<f64> {
        Some(self as f64)
    }
}

impl Number for u32 {
    fn number(self) -> Option<f64> {
        Some(f64::from(self))
    }
}

impl Number for TimeSpan {
    fn number(self) -> Option<f64> {
        Some(self.0.as_secs_f64())
    }
}

impl<T: Number> Number for Option<T> {
    fn number(self) -> Option<f64> {
        self.and_then(T::number)
    }
}
