use super::PlotError;
use std::collections::BTreeMap;

/// The weights into one neuron, laid out as the layer they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// What stands above it.
    pub name: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Row by row.
    pub weights: Vec<f64>,
}

/// Pixels of a field's longer side, and between fields.
const SIDE: usize = 112;
const GAP: usize = 24;
/// Colours told apart on either side of 0.
const LEVELS: f64 = 12.0;

/// Receptive fields side by side, orange above 0 and blue below, all on one scale: full colour from the
/// weight on that one in a hundred exceeds, so that a few large ones do not pale all others.
///
/// # Errors
/// If there is no weight, one is not finite, or a field's weights do not fill its shape.
pub fn weights(title: &str, fields: &[Field]) -> Result<String, PlotError> {
    let all = || fields.iter().flat_map(|field| &field.weights);
    let mut sizes: Vec<_> = all().map(|weight| weight.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let (Some(&most), Some(&largest)) = (sizes.get(sizes.len() * 99 / 100), sizes.last()) else {
        return Err(PlotError::nothing("weight"));
    };
    let full = if most > 0.0 { most } else { largest };
    if all().any(|weight| !weight.is_finite()) {
        return Err(PlotError::not_finite());
    }
    if fields.iter().any(|f| f.shape[0].checked_mul(f.shape[1]) != Some(f.weights.len())) {
        return Err(PlotError("a field's weights do not fill its shape".into()));
    }
    let columns = fields.len().min(8);
    let rows = fields.len().div_ceil(columns);
    let (width, height) = (columns * (SIDE + GAP) + GAP, rows * (SIDE + GAP) + GAP + 24);
    let mut svg = format!(
        r#"<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<rect width="{width}" height="{height}" fill="white"/>
<g font-family="sans-serif" fill="rgb(40,40,40)">
<text x="{GAP}" y="19" font-size="14">{}: orange above 0, blue below, full colour at ±{full:.3}</text>
"#,
        escaped(title)
    );
    for (position, field) in fields.iter().enumerate() {
        let left = GAP + position % columns * (SIDE + GAP);
        let top = GAP + 24 + position / columns * (SIDE + GAP);
        draw(field, full, (left, top), &mut svg);
    }
    Ok(svg + "</g>\n</svg>\n")
}

/// Its name, a path for each colour, a frame. Thousands of cells: what draws charts would take five
/// times the bytes.
fn draw(field: &Field, full: f64, (left, top): (usize, usize), svg: &mut String) {
    let [rows, columns] = field.shape;
    let side = SIDE as f64 / rows.max(columns).max(1) as f64;
    let (width, height) = (side * columns as f64, side * rows as f64);
    let (middle, above) = (left as f64 + width / 2.0, top - 6);
    let mut add = |text: String| svg.push_str(&text);
    add(format!(
        "<text x=\"{middle:.1}\" y=\"{above}\" font-size=\"12\" text-anchor=\"middle\">{}</text>\n",
        escaped(&field.name)
    ));
    add(format!(
        "<g transform=\"translate({left},{top}) scale({side:.4})\" shape-rendering=\"crispEdges\">\n"
    ));
    for (level, path) in paths(field, full) {
        let colour = if level > 0 { "213,94,0" } else { "0,114,178" };
        let opacity = f64::from(level.unsigned_abs()) / LEVELS;
        add(format!("<path fill=\"rgb({colour})\" fill-opacity=\"{opacity:.2}\" d=\"{path}\"/>\n"));
    }
    add(format!(
        "</g>\n<rect x=\"{left}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"none\" \
         stroke=\"rgb(40,40,40)\" stroke-opacity=\"0.3\"/>\n"
    ));
}

/// The cells of each level as a path, in units of cells: neighbours in a row that look alike are one
/// step of it.
fn paths(field: &Field, full: f64) -> BTreeMap<i8, String> {
    let columns = field.shape[1];
    let level = |weight: f64| match full > 0.0 {
        true => (weight / full * LEVELS).round().clamp(-LEVELS, LEVELS) as i8,
        false => 0,
    };
    let mut paths: BTreeMap<i8, String> = BTreeMap::new();
    for (row, weights) in field.weights.chunks(columns.max(1)).enumerate() {
        let mut start = 0;
        for run in weights.chunk_by(|a, b| level(*a) == level(*b)) {
            if level(run[0]) != 0 {
                let path = paths.entry(level(run[0])).or_default();
                *path += &format!("M{start} {row}h{0}v1h-{0}z", run.len());
            }
            start += run.len();
        }
    }
    paths
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
