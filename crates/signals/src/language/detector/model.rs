//! Reads the packed model in place: letter table, Han weights, pair rows and n-gram buckets.
//!
//! Layout (all integers little-endian):
//! - `magic[8]`, `languages u8`, `weight_unit f32`;
//! - for every letter group `first u8, count u8, symbols u8, bucket_bits u8, temperature f32, exponent f32`;
//! - the language codes (2 bytes each), the biases (`i16` each), the letter table, the Han weights (`i8` each);
//! - for every letter group the pair table (`u16` row number for every two symbols), `rows u16`, the rows (one
//!   `i8` weight for each language of the group), the bucket starts (`u32`, one more than buckets) and the
//!   entries of the n-grams of 3 to 5 symbols.
//!
//! An entry is a `u16` (10 bits fingerprint, 1 bit "a longer n-gram ends in this one", 5 bits count) followed
//! by `count` postings `language u8, weight i8`; count 31 means that a row follows instead. A row holds the
//! whole weight of an n-gram and of all shorter ones that end in it, postings hold what the n-gram adds.

use super::script::{GROUPS, HAN_COUNT, LETTER_SLOTS};

pub(crate) const MAGIC: &[u8; 8] = b"VSRLID01";
pub(crate) const FINGERPRINT_BITS: u32 = 10;
/// The count in an entry's header that says: a row follows.
pub(crate) const ROW_FOLLOWS: u16 = 31;
/// Longest n-gram, in symbols; a window of it fits a `u64`, one byte for each symbol.
pub(crate) const LONGEST_NGRAM: usize = 5;
/// The symbol for the start and the end of a word.
pub(crate) const WORD_BOUNDARY: u8 = 1;
/// Room for every language of the letter groups; a power of two.
pub(crate) const MAX_LANGUAGES: usize = 64;

/// The languages that share a letter group, their two-symbol weights, and how scores become probabilities.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Group<'a> {
    pub(crate) first: usize,
    pub(crate) count: usize,
    pub(crate) temperature: f32,
    pub(crate) exponent: f32,
    symbols: usize,
    pairs: &'a [u8],
    rows: &'a [u8],
    bucket_bits: u32,
    bucket_starts: &'a [u8],
    entries: &'a [u8],
}

/// A view of the packed model.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    pub(crate) languages: Vec<&'a str>,
    pub(crate) groups: [Group<'a>; GROUPS],
    pub(crate) weight_unit: f32,
    pub(crate) biases: Vec<i16>,
    pub(crate) classes: &'a [u8],
    han: &'a [u8],
}

/// The entries that may be that of one n-gram.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bucket<'a> {
    entries: &'a [u8],
    fingerprint: u16,
    row_size: usize,
}

/// What the model knows of one n-gram of 3 to 5 symbols.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// A longer n-gram that ends in this one may exist.
    pub(crate) extends: bool,
    /// A row, in place of the row of the shorter n-gram.
    pub(crate) row: Option<&'a [u8]>,
    /// Pairs of language index and signed weight, on top of the shorter n-gram.
    pub(crate) postings: &'a [u8],
}

impl<'a> Group<'a> {
    /// The row of the two symbols, oldest first.
    pub(crate) fn pair(&self, before: u8, symbol: u8) -> &'a [u8] {
        let cell = (usize::from(before) * self.symbols + usize::from(symbol)) * 2;
        let row = self
            .pairs
            .get(cell..cell + 2)
            .map_or(0, |bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])));
        self.rows.get(row * self.count..(row + 1) * self.count).unwrap_or_default()
    }

    /// The bucket an n-gram is in, if it is known; cheap, so that all lengths can be asked for before one is read.
    #[inline]
    pub(crate) fn bucket(&self, key: u64) -> Bucket<'a> {
        let (bucket, fingerprint) = locate(key, self.bucket_bits);
        let entries = self
            .bucket_starts
            .get(bucket * 4..bucket * 4 + 8)
            .and_then(|starts| self.entries.get(long(&starts[..4])..long(&starts[4..])))
            .unwrap_or_default();
        Bucket { entries, fingerprint, row_size: self.count }
    }
}

impl<'a> Bucket<'a> {
    /// The entry of the n-gram the bucket was asked for.
    #[inline]
    pub(crate) fn entry(&self) -> Option<Entry<'a>> {
        let mut rest = self.entries;
        while let [low, high, tail @ ..] = rest {
            let header = u16::from_le_bytes([*low, *high]);
            let count = header >> (FINGERPRINT_BITS + 1);
            let size = if count == ROW_FOLLOWS { self.row_size } else { usize::from(count) * 2 };
            let (content, next) = tail.split_at_checked(size)?;
            if header & ((1 << FINGERPRINT_BITS) - 1) == self.fingerprint {
                let extends = header & (1 << FINGERPRINT_BITS) != 0;
                let (row, postings) =
                    if count == ROW_FOLLOWS { (Some(content), &[][..]) } else { (None, content) };
                return Some(Entry { extends, row, postings });
            }
            rest = next;
        }
        None
    }
}

impl<'a> Model<'a> {
    /// Reads the header and slices the tables; `None` if the bytes are not a model.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader { bytes };
        if reader.take(MAGIC.len())? != MAGIC {
            return None;
        }
        let language_count = usize::from(reader.byte()?);
        let weight_unit = reader.float()?;
        let mut groups = [Group::default(); GROUPS];
        for group in &mut groups {
            group.first = usize::from(reader.byte()?);
            group.count = usize::from(reader.byte()?);
            group.symbols = usize::from(reader.byte()?);
            group.bucket_bits = u32::from(reader.byte()?);
            group.temperature = reader.float()?;
            group.exponent = reader.float()?;
            if group.count == 0
                || group.first + group.count > language_count.min(MAX_LANGUAGES)
                || !(1..=24).contains(&group.bucket_bits)
            {
                return None;
            }
        }
        let mut languages = Vec::with_capacity(language_count);
        for _ in 0..language_count {
            languages.push(std::str::from_utf8(reader.take(2)?).ok()?);
        }
        let mut biases = Vec::with_capacity(language_count);
        for _ in 0..language_count {
            biases.push(reader.short()?.cast_signed());
        }
        let classes = reader.take(LETTER_SLOTS)?;
        let han = reader.take(HAN_COUNT)?;
        for group in &mut groups {
            group.pairs = reader.take(group.symbols * group.symbols * 2)?;
            let rows = usize::from(reader.short()?);
            group.rows = reader.take(rows * group.count)?;
            group.bucket_starts = reader.take(((1usize << group.bucket_bits) + 1) * 4)?;
            group.entries = reader.take(long(group.bucket_starts.last_chunk::<4>()?))?;
        }
        Some(Self { languages, groups, weight_unit, biases, classes, han })
    }

    /// How much the Han character at `offset` speaks for Chinese (positive) or Japanese (negative).
    pub(crate) fn han_weight(&self, offset: usize) -> i32 {
        self.han.get(offset).map_or(0, |byte| i32::from(byte.cast_signed()))
    }
}

/// The bucket and the fingerprint of an n-gram.
#[inline]
pub(crate) fn locate(key: u64, bucket_bits: u32) -> (usize, u16) {
    let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let hash = (hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bucket = (hash >> (64 - bucket_bits)) as usize;
    (bucket, (hash >> 16) as u16 & ((1 << FINGERPRINT_BITS) - 1))
}

fn long(bytes: &[u8]) -> usize {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.bytes.split_at_checked(count)?;
        self.bytes = tail;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn short(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn float(&mut self) -> Option<f32> {
        let bytes = self.take(4)?;
        Some(f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}
