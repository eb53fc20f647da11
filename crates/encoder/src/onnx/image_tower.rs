//! The tower of a two-tower model that looks at images: one vector in the space of the text tower's.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value as Json;

use super::Lane;
use super::graph::{Graph, Kind, Port, Tensor};
use crate::backend::Backend;
use crate::error::Error;
use crate::picture::{Filter, Picture};

/// What exporters call the vector of an image, the one that is meant first.
const EMBEDDINGS: [&str; 4] = ["image_embeds", "image_embeddings", "sentence_embedding", "pooler_output"];
/// The longest side that a model looks at.
const MOST_SIDE: usize = 2048;

/// An image tower.
#[derive(Debug)]
pub(crate) struct ImageTower {
    graph: Graph,
    output: Port,
    preparation: Preparation,
    width: usize,
    height: usize,
}

/// `preprocessor_config.json`, as far as it matters.
#[derive(Debug, Deserialize)]
struct Preparation {
    #[serde(default = "yes")]
    do_resize: bool,
    #[serde(default)]
    size: Option<Size>,
    /// Pillow's number of the filter: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic.
    #[serde(default)]
    resample: Option<u8>,
    #[serde(default)]
    do_center_crop: bool,
    #[serde(default)]
    crop_size: Option<Size>,
    #[serde(default = "yes")]
    do_rescale: bool,
    #[serde(default)]
    rescale_factor: Option<f32>,
    #[serde(default = "yes")]
    do_normalize: bool,
    #[serde(default)]
    image_mean: Option<[f32; 3]>,
    #[serde(default)]
    image_std: Option<[f32; 3]>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Side(usize),
    Shortest { shortest_edge: usize },
    Both { height: usize, width: usize },
}

fn yes() -> bool {
    true
}

impl ImageTower {
    /// Loads a graph and how its input is prepared, and runs it once on grey. `width` is that of the text tower's vectors.
    ///
    /// # Errors
    /// If a file is missing or malformed, or the graph does not give such vectors.
    pub(crate) fn load(
        path: &Path,
        preparation: &Json,
        width: usize,
        backend: Backend,
    ) -> Result<Self, Error> {
        let wrong = |why: String| Error::format("preprocessor_config.json", why);
        let preparation = Preparation::deserialize(preparation).map_err(|error| wrong(error.to_string()))?;
        let graph = Graph::load(path, backend)?;
        let input = match graph.inputs.as_slice() {
            [only] if only.kind == Kind::Float && matches!(only.shape.len(), 0 | 4) => only,
            _ => {
                let what = format!("{}: an image tower with other inputs than pixel_values", graph.file());
                return Err(Error::unsupported(what, "export each tower by itself"));
            }
        };
        let (tall, wide) = preparation.sides().map_err(wrong)?;
        for (place, side) in [(2, tall), (3, wide)] {
            if let Some(fixed) = input.shape.get(place).copied().flatten().filter(|fixed| *fixed != side) {
                return Err(wrong(format!(
                    "it makes images of {wide}×{tall} pixels, and the graph takes {fixed}"
                )));
            }
        }
        let output = graph.output(&EMBEDDINGS).or_else(|| graph.only_output()).cloned().ok_or_else(|| {
            let what = format!("{}: outputs named {}", graph.file(), graph.output_names());
            Error::unsupported(what, format!("export one named {}", EMBEDDINGS.join(" or ")))
        })?;
        let tower = Self { graph, output, preparation, width: wide, height: tall };
        let grey = vec![0.0; 3 * tall * wide];
        let found = tower.compute(grey, &mut Lane::default())?.len();
        if found != width {
            let why = format!("it gives {found} values, and the text tower {width}");
            return Err(Error::format(tower.graph.file().to_owned(), why));
        }
        Ok(tower)
    }

    /// The vector of an image file.
    ///
    /// # Errors
    /// If the file cannot be decoded or the graph fails.
    pub(crate) fn embed(&self, file: &[u8], lane: &mut Lane) -> Result<Vec<f32>, Error> {
        let picture = self.preparation.apply(&Picture::decode(file)?)?;
        if (picture.width, picture.height) != (self.width, self.height) {
            let (width, height) = (picture.width, picture.height);
            return Err(Error::Failed(format!("an image was prepared as {width}×{height} pixels")));
        }
        self.compute(self.preparation.values(&picture), lane)
    }

    /// The graph's vector for channels, rows and columns of values.
    fn compute(&self, values: Vec<f32>, lane: &mut Lane) -> Result<Vec<f32>, Error> {
        let shape = [1, 3, self.height, self.width];
        let inputs = self.graph.inputs.iter().take(1).zip([Tensor::floats(&shape, values)]).collect();
        let output = self.graph.run(inputs, &self.output, lane)?;
        match output.shape.as_slice() {
            [1, _] if output.values.iter().all(|x| x.is_finite()) => Ok(output.values),
            other => Err(Error::Failed(format!(
                "{}: an output of shape {other:?}, or not finite, is no vector",
                self.graph.file()
            ))),
        }
    }
}

impl Preparation {
    /// Rows and columns of a prepared image.
    fn sides(&self) -> Result<(usize, usize), String> {
        let size = if self.do_center_crop { self.crop_size.or(self.size) } else { self.size };
        let (tall, wide) = match size {
            Some(Size::Both { height, width }) => (height, width),
            Some(Size::Side(side) | Size::Shortest { shortest_edge: side }) => (side, side),
            None => return Err("it names no size".to_owned()),
        };
        match (1..=MOST_SIDE).contains(&tall) && (1..=MOST_SIDE).contains(&wide) {
            true => Ok((tall, wide)),
            false => Err(format!("{wide}×{tall} pixels are none or more than {MOST_SIDE} a side")),
        }
    }

    fn apply(&self, picture: &Picture) -> Result<Picture, Error> {
        let filter = match self.resample {
            Some(0) => Filter::Nearest,
            Some(1) => Filter::Lanczos,
            Some(3) => Filter::Bicubic,
            _ => Filter::Bilinear,
        };
        let resized = match self.size.filter(|_| self.do_resize) {
            None => picture.clone(),
            Some(Size::Both { height, width }) => picture.resized(width, height, filter)?,
            Some(Size::Side(side)) if !self.do_center_crop => picture.resized(side, side, filter)?,
            Some(Size::Side(side) | Size::Shortest { shortest_edge: side }) => {
                let (short, long) = (picture.width.min(picture.height), picture.width.max(picture.height));
                let other = (side.saturating_mul(long) / short).max(1);
                let (width, height) =
                    if picture.width <= picture.height { (side, other) } else { (other, side) };
                picture.resized(width, height, filter)?
            }
        };
        let Some(size) = self.crop_size.or(self.size).filter(|_| self.do_center_crop) else {
            return Ok(resized);
        };
        match size {
            Size::Both { height, width } => resized.middle(width, height),
            Size::Side(side) | Size::Shortest { shortest_edge: side } => resized.middle(side, side),
        }
    }

    /// Channels, rows and columns, rescaled and normalised.
    fn values(&self, picture: &Picture) -> Vec<f32> {
        let factor = if self.do_rescale { self.rescale_factor.unwrap_or(1.0 / 255.0) } else { 1.0 };
        let (mean, deviation) = match self.do_normalize {
            true => (self.image_mean.unwrap_or([0.5; 3]), self.image_std.unwrap_or([0.5; 3])),
            false => ([0.0; 3], [1.0; 3]),
        };
        let plane = |channel: usize| {
            let values = picture.pixels.iter().skip(channel).step_by(3);
            values.map(move |value| (f32::from(*value) * factor - mean[channel]) / deviation[channel])
        };
        (0..3).flat_map(plane).collect()
    }
}
