//! Sounds: decoded from WAV files within bounds, mixed to one channel, and resampled.

use std::io::Cursor;

use hound::{SampleFormat, WavReader};

use crate::error::Error;

/// The largest file that is decoded.
const MOST_BYTES: usize = 32 << 20;
/// The most channels of a sound.
const MOST_CHANNELS: u16 = 8;
/// The samples per second that sounds may have.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;
/// How many zero crossings of the interpolating sinc are used to either side, and how far below the lower of both
/// Nyquist frequencies it cuts: as in common resamplers for models of sounds.
const CROSSINGS: f64 = 6.0;
const ROLLOFF: f64 = 0.99;
/// Longer tables of weights are not kept.
const MOST_PHASES: u64 = 4096;

/// Samples of one channel, −1..=1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sound {
    pub(crate) rate: u32,
    pub(crate) samples: Vec<f32>,
}

impl Sound {
    /// Decodes the first `seconds` of a WAV file: PCM of 8 to 32 bits or floats, the mean of all channels.
    ///
    /// # Errors
    /// If the file is damaged, of another type, too large, or silent for want of samples.
    pub(crate) fn decode(file: &[u8], seconds: f64) -> Result<Self, Error> {
        if file.len() > MOST_BYTES {
            return Err(wrong(format!("it has {} bytes, and at most {MOST_BYTES} are decoded", file.len())));
        }
        if !matches!(file, [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..]) {
            return Err(wrong("it is no WAV file"));
        }
        let mut reader = WavReader::new(Cursor::new(file)).map_err(wrong)?;
        let spec = reader.spec();
        if !RATES.contains(&spec.sample_rate) || !(1..=MOST_CHANNELS).contains(&spec.channels) {
            let (rate, channels) = (spec.sample_rate, spec.channels);
            return Err(wrong(format!("{channels} channels of {rate} samples per second are not taken")));
        }
        let channels = usize::from(spec.channels);
        let most = (f64::from(spec.sample_rate) * seconds).ceil() as usize * channels;
        let values: Result<Vec<f32>, hound::Error> = match (spec.sample_format, spec.bits_per_sample) {
            (SampleFormat::Float, _) => reader.samples::<f32>().take(most).collect(),
            (SampleFormat::Int, bits @ 1..=32) => {
                let scale = 1.0 / (1_u64 << (bits - 1)) as f32;
                reader.samples::<i32>().take(most).map(|it| it.map(|value| value as f32 * scale)).collect()
            }
            (SampleFormat::Int, bits) => return Err(wrong(format!("samples of {bits} bits are not taken"))),
        };
        let values = values.map_err(wrong)?;
        let mix = |frame: &[f32]| frame.iter().sum::<f32>() / channels as f32;
        let samples: Vec<f32> = values.chunks_exact(channels).map(mix).collect();
        if samples.is_empty() || samples.iter().any(|sample| !sample.is_finite()) {
            return Err(wrong("it has no samples, or some that are no numbers"));
        }
        Ok(Self { rate: spec.sample_rate, samples })
    }

    /// The samples at another rate, by a sinc in a Hann window (Smith, *Digital Audio Resampling*).
    pub(crate) fn at(&self, rate: u32) -> Vec<f32> {
        if rate == self.rate {
            return self.samples.clone();
        }
        let shared = greatest_common_divisor(self.rate.into(), rate.into());
        let (from, to) = (u64::from(self.rate) / shared, u64::from(rate) / shared);
        let count = (self.samples.len() as u64 * to).div_ceil(from);
        let table: Vec<Taps> = match to <= MOST_PHASES {
            true => (0..to.min(count)).map(|phase| Taps::new(phase, from, to)).collect(),
            false => Vec::new(),
        };
        let sample = |index: u64| {
            let (block, phase) = (index / to, index % to);
            let start = (block * from).cast_signed();
            match table.get(phase as usize) {
                Some(taps) => taps.apply(&self.samples, start),
                None => Taps::new(phase, from, to).apply(&self.samples, start),
            }
        };
        (0..count).map(sample).collect()
    }
}

/// The weights of the samples around one place between them.
struct Taps {
    first: i64,
    weights: Vec<f32>,
}

impl Taps {
    /// For the place `phase / to` of a block of `from` samples.
    fn new(phase: u64, from: u64, to: u64) -> Self {
        let place = phase as f64 * from as f64 / to as f64;
        let cut = (to as f64 / from as f64).min(1.0) * ROLLOFF;
        let reach = CROSSINGS / cut;
        let (first, last) = ((place - reach).ceil() as i64, (place + reach).floor() as i64);
        let weight = |at: i64| {
            let t = (at as f64 - place) * cut;
            let window = (t * std::f64::consts::PI / CROSSINGS / 2.0).cos().powi(2);
            let turn = t * std::f64::consts::PI;
            let sinc = if turn == 0.0 { 1.0 } else { turn.sin() / turn };
            (sinc * window * cut) as f32
        };
        Self { first, weights: (first..=last).map(weight).collect() }
    }

    /// Silence stands before the first sample and behind the last one.
    fn apply(&self, samples: &[f32], start: i64) -> f32 {
        let places = (start + self.first..).zip(&self.weights);
        let at = |place: i64| usize::try_from(place).ok().and_then(|place| samples.get(place)).copied();
        places.map(|(place, weight)| at(place).unwrap_or(0.0) * weight).sum()
    }
}

fn wrong(why: impl std::fmt::Display) -> Error {
    Error::Input(format!("the sound cannot be used: {why}"))
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
