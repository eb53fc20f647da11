//! Pictures: decoded within bounds, and resized as the preprocessors of published models do.

use std::io::Cursor;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use crate::error::Error;

/// The largest file that is decoded.
const MOST_BYTES: usize = 20 << 20;
/// The most pixels of a picture, decoded or resized.
const MOST_PIXELS: usize = 1 << 25;
/// The most passes over a progressive JPEG.
const MOST_SCANS: usize = 24;

/// Rows of pixels, three bytes each: red, green, blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
}

/// How values between pixels are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Nearest,
    Bilinear,
    Bicubic,
    Lanczos,
}

impl Picture {
    /// Decodes a PNG, JPEG or WebP file. Transparency is dropped.
    ///
    /// # Errors
    /// If the file is damaged, of another type, or too large.
    pub(crate) fn decode(file: &[u8]) -> Result<Self, Error> {
        if file.len() > MOST_BYTES {
            return Err(wrong(format!("it has {} bytes, and at most {MOST_BYTES} are decoded", file.len())));
        }
        match file {
            [0x89, b'P', b'N', b'G', ..] => png(file),
            [0xff, 0xd8, ..] => jpeg(file),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => webp(file),
            _ => Err(wrong("it is no PNG, JPEG or WebP file")),
        }
    }

    fn new(width: usize, height: usize, pixels: Vec<u8>) -> Result<Self, Error> {
        match width * height > 0 && pixels.len() == width * height * 3 {
            true => Ok(Self { width, height, pixels }),
            false => Err(wrong("its pixels are not what its header says")),
        }
    }

    /// The same picture in another size.
    ///
    /// # Errors
    /// If that is too large.
    pub(crate) fn resized(&self, width: usize, height: usize, filter: Filter) -> Result<Self, Error> {
        area(width, height)?;
        area(width, self.height)?;
        if (width, height) == (self.width, self.height) {
            return Ok(self.clone());
        }
        let across = Weights::new(self.width, width, filter);
        let mut wide = vec![0; width * self.height * 3];
        for (row, out) in self.pixels.chunks_exact(self.width * 3).zip(wide.chunks_exact_mut(width * 3)) {
            for (x, out) in out.chunks_exact_mut(3).enumerate() {
                let (first, weights) = across.of(x);
                for (channel, value) in out.iter_mut().enumerate() {
                    let values = row.chunks_exact(3).skip(first).map(|pixel| pixel[channel]);
                    *value = weigh(values, weights);
                }
            }
        }
        let down = Weights::new(self.height, height, filter);
        let mut pixels = vec![0; width * height * 3];
        for (y, out) in pixels.chunks_exact_mut(width * 3).enumerate() {
            let (first, weights) = down.of(y);
            for (i, value) in out.iter_mut().enumerate() {
                let values = wide.chunks_exact(width * 3).skip(first).map(|row| row[i]);
                *value = weigh(values, weights);
            }
        }
        Ok(Self { width, height, pixels })
    }

    /// The middle of the picture.
    ///
    /// # Errors
    /// If the picture is smaller.
    pub(crate) fn middle(&self, width: usize, height: usize) -> Result<Self, Error> {
        if width > self.width || height > self.height {
            let why = format!("{}×{} pixels hold no part of {width}×{height}", self.width, self.height);
            return Err(wrong(why));
        }
        let (left, top) = ((self.width - width) / 2, (self.height - height) / 2);
        let rows = self.pixels.chunks_exact(self.width * 3).skip(top).take(height);
        let pixels = rows.flat_map(|row| &row[left * 3..(left + width) * 3]).copied().collect();
        Ok(Self { width, height, pixels })
    }
}

fn wrong(why: impl std::fmt::Display) -> Error {
    Error::Input(format!("the image cannot be used: {why}"))
}

/// How many pixels that is, if it is not too many.
fn area(width: usize, height: usize) -> Result<usize, Error> {
    let area = width.checked_mul(height).filter(|area| (1..=MOST_PIXELS).contains(area));
    area.ok_or_else(|| wrong(format!("{width}×{height} pixels are none or more than {MOST_PIXELS}")))
}

fn png(file: &[u8]) -> Result<Picture, Error> {
    let mut decoder =
        png::Decoder::new_with_limits(Cursor::new(file), png::Limits { bytes: MOST_PIXELS * 4 });
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(wrong)?;
    let (width, height) = (header.width as usize, header.height as usize);
    area(width, height)?;
    let mut reader = decoder.read_info().map_err(wrong)?;
    let size = reader.output_buffer_size().filter(|size| *size <= MOST_PIXELS * 4);
    let mut bytes = vec![0; size.ok_or_else(|| wrong("it has too many bytes per pixel"))?];
    let info = reader.next_frame(&mut bytes).map_err(wrong)?;
    bytes.truncate(info.buffer_size());
    let pixels = match info.color_type {
        png::ColorType::Grayscale => bytes.iter().flat_map(|x| [*x; 3]).collect(),
        png::ColorType::GrayscaleAlpha => bytes.chunks_exact(2).flat_map(|x| [x[0]; 3]).collect(),
        png::ColorType::Rgba => without_alpha(&bytes),
        png::ColorType::Rgb | png::ColorType::Indexed => bytes,
    };
    Picture::new(width, height, pixels)
}

fn jpeg(file: &[u8]) -> Result<Picture, Error> {
    let options =
        DecoderOptions::new_safe().jpeg_set_out_colorspace(ColorSpace::RGB).jpeg_set_max_scans(MOST_SCANS);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(wrong)?;
    let info = decoder.info().ok_or_else(|| wrong("it has no header"))?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    area(width, height)?;
    Picture::new(width, height, decoder.decode().map_err(wrong)?)
}

fn webp(file: &[u8]) -> Result<Picture, Error> {
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(file)).map_err(wrong)?;
    decoder.set_memory_limit(MOST_PIXELS * 4);
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    let area = area(width, height)?;
    let has_alpha = decoder.has_alpha();
    let mut bytes = vec![0; area * if has_alpha { 4 } else { 3 }];
    decoder.read_image(&mut bytes).map_err(wrong)?;
    Picture::new(width, height, if has_alpha { without_alpha(&bytes) } else { bytes })
}

fn without_alpha(bytes: &[u8]) -> Vec<u8> {
    bytes.as_chunks::<4>().0.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect()
}

/// Which pixels of a line make up each pixel of a line of another length, and with which weights. The filters are those
/// of Pillow: widened by the scale where a line becomes shorter.
struct Weights {
    places: Vec<(usize, Vec<f32>)>,
}

impl Weights {
    fn new(from: usize, to: usize, filter: Filter) -> Self {
        let scale = from as f64 / to as f64;
        if filter == Filter::Nearest {
            let nearest = |i: usize| (((i as f64 + 0.5) * scale) as usize).min(from - 1);
            return Self { places: (0..to).map(|i| (nearest(i), vec![1.0])).collect() };
        }
        let widening = scale.max(1.0);
        let reach = filter.reach() * widening;
        let place = |i: usize| {
            let centre = (i as f64 + 0.5) * scale;
            let first = (centre - reach + 0.5).max(0.0) as usize;
            let last = ((centre + reach + 0.5) as usize).min(from);
            let weight = |x: usize| filter.at((x as f64 - centre + 0.5) / widening);
            let weights: Vec<f64> = (first..last.max(first + 1)).map(weight).collect();
            let sum: f64 = weights.iter().sum();
            (first, weights.into_iter().map(|weight| (weight / sum) as f32).collect())
        };
        Self { places: (0..to).map(place).collect() }
    }

    fn of(&self, index: usize) -> (usize, &[f32]) {
        let (first, weights) = &self.places[index];
        (*first, weights)
    }
}

fn weigh(values: impl Iterator<Item = u8>, weights: &[f32]) -> u8 {
    let sum: f32 = values.zip(weights).map(|(value, weight)| f32::from(value) * weight).sum();
    (sum + 0.5).clamp(0.0, 255.0) as u8
}

impl Filter {
    /// How far it reaches, in pixels of the longer line.
    fn reach(self) -> f64 {
        match self {
            Self::Nearest => 0.5,
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The weight at a distance: the triangle, Keys' cubic with a = −0.5, or sinc windowed by sinc.
    fn at(self, distance: f64) -> f64 {
        let x = distance.abs();
        let sinc = |x: f64| {
            let x = x * std::f64::consts::PI;
            if x == 0.0 { 1.0 } else { x.sin() / x }
        };
        match self {
            Self::Nearest => 1.0,
            Self::Bilinear => (1.0 - x).max(0.0),
            Self::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => -0.5 * (((x - 5.0) * x + 8.0) * x - 4.0),
            Self::Lanczos if x < 3.0 => sinc(x) * sinc(x / 3.0),
            Self::Bicubic | Self::Lanczos => 0.0,
        }
    }
}
