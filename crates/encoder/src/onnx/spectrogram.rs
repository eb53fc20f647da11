//! Logarithms of mel spectrograms, as the extractors of CLAP models compute them.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

/// The least power of a band.
const FLOOR: f64 = 1e-10;

/// Which frequencies are one step apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// O'Shaughnessy's, as the HTK has it; all filters have the height 1.
    Htk,
    /// Slaney's: linear to 1 kHz, logarithmic above; all filters have the same area.
    Slaney,
}

/// How a spectrogram is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Samples per second.
    pub(super) rate: u32,
    /// Samples of a frame.
    pub(super) frame: usize,
    /// Samples from one frame to the next.
    pub(super) hop: usize,
    /// Bands.
    pub(super) bands: usize,
    /// The lowest and the highest frequency, in Hz.
    pub(super) range: (f64, f64),
    pub(super) scale: Scale,
}

/// Makes spectrograms.
pub(super) struct Spectrogram {
    shape: Shape,
    window: Vec<f64>,
    transform: Arc<dyn RealToComplex<f64>>,
    /// Of each band the first bin that counts, and the weights from there on.
    filters: Vec<(usize, Vec<f64>)>,
}

impl std::fmt::Debug for Spectrogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.shape.fmt(f)
    }
}

impl Spectrogram {
    pub(super) fn new(shape: Shape) -> Self {
        let turn = |index: usize| index as f64 / shape.frame as f64 * std::f64::consts::TAU;
        Self {
            shape,
            window: (0..shape.frame).map(|index| 0.5 - 0.5 * turn(index).cos()).collect(),
            transform: RealFftPlanner::new().plan_fft_forward(shape.frame),
            filters: filters(shape),
        }
    }

    /// How many frames so many samples give.
    pub(super) fn frames(&self, samples: usize) -> usize {
        let Shape { frame, hop, .. } = self.shape;
        1 + (samples + frame / 2 * 2 - frame) / hop
    }

    /// A row of decibels per frame, a value per band. Frames are centred: before the beginning and behind the end the
    /// sound runs backwards. There must be more samples than half a frame.
    pub(super) fn of(&self, samples: &[f32]) -> Result<Vec<f32>, String> {
        let Shape { frame, hop, bands, .. } = self.shape;
        let (before, last) = ((frame / 2).cast_signed(), samples.len().cast_signed() - 1);
        if samples.len() <= frame / 2 {
            return Err(format!("{} samples are less than half a frame of {frame}", samples.len()));
        }
        let at = |place: isize| {
            let mirrored = if place < 0 { -place } else { last - (place - last).abs() };
            usize::try_from(mirrored).ok().and_then(|place| samples.get(place)).map_or(0.0, |x| f64::from(*x))
        };
        let (mut input, mut output) = (self.transform.make_input_vec(), self.transform.make_output_vec());
        let mut scratch = self.transform.make_scratch_vec();
        let mut rows = Vec::with_capacity(self.frames(samples.len()) * bands);
        for index in 0..self.frames(samples.len()) {
            let start = (index * hop).cast_signed() - before;
            for ((value, weight), place) in input.iter_mut().zip(&self.window).zip(start..) {
                let place = if place > last { last - (place - last) } else { place };
                *value = at(place) * weight;
            }
            self.transform
                .process_with_scratch(&mut input, &mut output, &mut scratch)
                .map_err(|error| error.to_string())?;
            for (first, weights) in &self.filters {
                let bins = output.iter().skip(*first).zip(weights);
                let power: f64 = bins.map(|(bin, weight)| bin.norm_sqr() * weight).sum();
                rows.push((10.0 * power.max(FLOOR).log10()) as f32);
            }
        }
        Ok(rows)
    }
}

/// Triangles between neighbours of evenly spaced steps.
fn filters(shape: Shape) -> Vec<(usize, Vec<f64>)> {
    let Shape { rate, frame, bands, range: (low, high), scale, .. } = shape;
    let (low, high) = (scale.step(low), scale.step(high));
    let corner = |index: usize| scale.frequency(low + (high - low) * index as f64 / (bands + 1) as f64);
    let bins = frame / 2 + 1;
    let highest = f64::from(rate / 2);
    let bin = |index: usize| highest * index as f64 / (bins - 1) as f64;
    let filter = |band: usize| {
        let (left, middle, right) = (corner(band), corner(band + 1), corner(band + 2));
        let height = if scale == Scale::Slaney { 2.0 / (right - left) } else { 1.0 };
        let weight = |index: usize| {
            let (rising, falling) =
                ((bin(index) - left) / (middle - left), (right - bin(index)) / (right - middle));
            rising.min(falling).max(0.0) * height
        };
        let first = (0..bins).find(|index| weight(*index) > 0.0).unwrap_or(0);
        let end = (first..bins).rev().find(|index| weight(*index) > 0.0).map_or(first, |last| last + 1);
        (first, (first..end).map(weight).collect())
    };
    (0..bands).map(filter).collect()
}

impl Scale {
    fn step(self, frequency: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * (1.0 + frequency / 700.0).log10(),
            Self::Slaney if frequency < 1000.0 => 3.0 * frequency / 200.0,
            Self::Slaney => 15.0 + (frequency / 1000.0).ln() * (27.0 / 6.4_f64.ln()),
        }
    }

    fn frequency(self, step: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10.0_f64.powf(step / 2595.0) - 1.0),
            Self::Slaney if step < 15.0 => 200.0 * step / 3.0,
            Self::Slaney => 1000.0 * ((step - 15.0) * (6.4_f64.ln() / 27.0)).exp(),
        }
    }
}
