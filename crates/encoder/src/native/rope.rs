//! Rotary position embedding, applied to queries and keys in place.

/// Angles of rotation for one base frequency, extended as longer sequences come.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    theta: f32,
    half: usize,
    /// cos and sin of `half` frequencies per position.
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl Rotation {
    /// Makes sure that the angles for `tokens` positions of heads `2 · half` wide with base `theta` are there.
    pub(super) fn prepare(&mut self, theta: f32, half: usize, tokens: usize) {
        if self.theta.to_bits() != theta.to_bits() || self.half != half {
            *self = Self { theta, half, ..Self::default() };
        }
        for position in self.cosines.len() / half.max(1)..tokens {
            for i in 0..half {
                // As the reference does: the inverse frequency and the angle in f32.
                let inverse = 1.0 / theta.powf((2 * i) as f32 / (2 * half) as f32);
                let angle = position as f32 * inverse;
                self.cosines.push(angle.cos());
                self.sines.push(angle.sin());
            }
        }
    }

    /// Rotates the queries and keys of one token: `row` begins with both, `heads` heads each.
    pub(super) fn rotate(&self, position: usize, heads: usize, row: &mut [f32]) {
        let half = self.half;
        let cosines = &self.cosines[position * half..(position + 1) * half];
        let sines = &self.sines[position * half..(position + 1) * half];
        for head in row[..heads * 4 * half].chunks_exact_mut(2 * half) {
            let (low, high) = head.split_at_mut(half);
            for ((a, b), (cos, sin)) in low.iter_mut().zip(high).zip(cosines.iter().zip(sines)) {
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }
}
