//! Growth curves: one plot for each work that was measured at several places of its axis.

use std::collections::BTreeMap;
use std::path::Path;

use drop_benches::report::{Question, Row, float};
use plotters::coord::Shift;
use plotters::prelude::*;

/// A plot in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plot {
    /// What it shows.
    pub(crate) title: String,
    /// Where it is, from the page.
    pub(crate) link: String,
}

const SIZE: (u32, u32) = (860, 480);
/// Told apart also by who does not see all colours (Okabe and Ito).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
    RGBColor(120, 94, 20),
];
const FONT: &str = "sans-serif";

/// A curve: its name and its points, each with the lowest and the highest round.
struct Curve {
    series: String,
    points: Vec<(f64, [f64; 3])>,
}

/// Draws what grows in a question into `folder`.
pub(crate) fn draw(question: &Question, folder: &Path) -> Result<Vec<Plot>, String> {
    let page = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
    let mut plots = Vec::new();
    for (work, rows) in works(question) {
        let curves = curves(&rows);
        let Some(first) = rows.first() else { continue };
        if !curves.iter().any(|curve| curve.points.len() > 1) {
            continue;
        }
        let word: String =
            work.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let name = format!("{}-{}.svg", question.name, word.to_lowercase());
        let unit = &first.unit;
        let title = format!("{}: {work}, {unit} by {}", question.name, first.cell.axis);
        let path = folder.join(&name);
        let backend = SVGBackend::new(&path, SIZE).into_drawing_area();
        chart(&backend, &title, (&first.cell.axis, unit), &curves)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        plots.push(Plot { title, link: format!("{page}/{name}") });
    }
    Ok(plots)
}

/// The rows of each work, in the order in which they were measured.
fn works(question: &Question) -> Vec<(&str, Vec<&Row>)> {
    let mut works: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in &question.rows {
        let work = row.cell.work.as_str();
        match works.iter_mut().find(|(known, _)| *known == work) {
            Some((_, rows)) => rows.push(row),
            None => works.push((work, vec![row])),
        }
    }
    works
}

fn curves(rows: &[&Row]) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    let mut by_series: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        let Some(spread) = row.spread() else { continue };
        let point = (float(row.cell.x), [spread.min, spread.median, spread.max]);
        let series = row.cell.series.as_str();
        let place = *by_series.entry(series).or_insert(curves.len());
        match curves.get_mut(place) {
            Some(curve) => curve.points.push(point),
            None => curves.push(Curve { series: series.to_owned(), points: vec![point] }),
        }
    }
    for curve in &mut curves {
        curve.points.sort_by(|one, other| one.0.total_cmp(&other.0));
    }
    curves
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn chart(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    (axis, unit): (&str, &str),
    curves: &[Curve],
) -> Drawn {
    area.fill(&WHITE)?;
    // Nothing has no place on a logarithmic axis: it stands one step before the first that has.
    let places = || curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.0));
    let first = places().filter(|x| *x > 0.0).fold(f64::INFINITY, f64::min);
    let nothing = if first.is_finite() { first / 10.0 } else { 1.0 };
    let at = |x: f64| if x > 0.0 { x } else { nothing };
    let last = places().fold(nothing, f64::max);
    let begin = places().map(at).fold(f64::INFINITY, f64::min);
    let figures = || curves.iter().flat_map(|curve| curve.points.iter().flat_map(|point| point.1));
    let low = figures().filter(|y| *y > 0.0).fold(f64::INFINITY, f64::min);
    let high = figures().fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 18))
        .margin(12)
        .x_label_area_size(46)
        .y_label_area_size(78)
        .build_cartesian_2d(
            (begin * 0.85..last * 1.15).log_scale(),
            (low * 0.7..high * 1.4).log_scale(),
        )?;
    chart
        .configure_mesh()
        .light_line_style(RGBColor(240, 240, 240))
        .bold_line_style(RGBColor(215, 215, 215))
        .x_desc(axis)
        .y_desc(unit)
        .x_labels(8)
        .y_labels(8)
        .x_label_formatter(&|x| {
            if *x <= nothing && nothing < first { "0".to_owned() } else { short(*x) }
        })
        .y_label_formatter(&|y| short(*y))
        .label_style((FONT, 14))
        .axis_desc_style((FONT, 15))
        .draw()?;
    for (curve, colour) in curves.iter().zip(COLOURS.into_iter().cycle()) {
        let medians = || curve.points.iter().map(|(x, [_, median, _])| (at(*x), *median));
        chart
            .draw_series(LineSeries::new(medians(), colour.stroke_width(2)))?
            .label(&curve.series)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(3)));
        chart.draw_series(curve.points.iter().map(|(x, [low, median, high])| {
            ErrorBar::new_vertical(at(*x), *low, *median, *high, colour.filled(), 6)
        }))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font((FONT, 14))
        .draw()?;
    area.present()?;
    Ok(())
}

/// `1,500,000` as `1.5M`.
fn short(value: f64) -> String {
    let scaled = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    let scale = scaled.into_iter().find(|(size, _)| value.abs() >= *size);
    let (size, letter) = scale.unwrap_or((1.0, ""));
    format!("{}{letter}", drop_benches::report::figure(value / size))
}
