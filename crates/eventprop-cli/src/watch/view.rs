use super::{Run, clock};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, Paragraph, Row, Table};

/// Draws a run over the whole frame; made for 80 x 24.
pub(super) fn draw(frame: &mut Frame<'_>, run: &Run, colours: bool) {
    let layers = run.history.last().map_or(0, |record| record.layers.len()) as u16;
    let [head, bar, pace, curves, activity] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(6),
        Constraint::Length(3 + layers),
    ])
    .areas(frame.area());
    let paint = Paint { colours };
    let title = format!("{}: {}   (q ends this view)", run.name, run.state());
    frame.render_widget(Line::styled(title, Modifier::BOLD), head);
    let gauge = Gauge::default().ratio(run.fraction()).label(place(run));
    frame.render_widget(gauge.gauge_style(paint.of(Color::Blue)), bar);
    frame.render_widget(Paragraph::new(pace_of(run)), pace);
    let [left, right] =
        Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(curves);
    let points = |value: &dyn Fn(&eventprop::EpochRecord) -> f64| -> Vec<(f64, f64)> {
        run.history.iter().map(|record| (f64::from(record.epoch), value(record))).collect()
    };
    let accuracy = [points(&|r| 100.0 * r.test.accuracy), points(&|r| 100.0 * r.train_accuracy)];
    let loss = [points(&|r| r.test.loss), points(&|r| r.train_loss)];
    chart(frame, left, "accuracy (%), dots: test set", &accuracy, paint);
    chart(frame, right, "loss, dots: test set", &loss, paint);
    frame.render_widget(table(run), activity);
}

/// Whether there are colours.
#[derive(Clone, Copy)]
struct Paint {
    colours: bool,
}

impl Paint {
    fn of(self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }
}

fn place(run: &Run) -> String {
    match &run.live {
        None => String::new(),
        Some(live) => format!(
            "epoch {}/{}  batch {}/{}",
            live.epoch + 1,
            live.epochs,
            live.batch,
            live.batches
        ),
    }
}

fn pace_of(run: &Run) -> String {
    let Some(live) = &run.live else { return String::new() };
    let mut line = format!(
        "loss {:.4}  accuracy {:.2} %  {:.0} samples/s",
        live.loss,
        100.0 * live.accuracy,
        live.samples_per_second
    );
    if !run.is_over() {
        line += &format!("  {} left", clock(live.seconds_left));
    }
    line
}

/// Dots on the test set, a fine line in training.
fn chart(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    lines: &[Vec<(f64, f64)>; 2],
    paint: Paint,
) {
    let finite = || lines.iter().flatten().filter(|point| point.1.is_finite());
    let (low, high) = finite()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| (low.min(p.1), high.max(p.1)));
    let block = Block::bordered().title(title);
    if low > high {
        let text = Paragraph::new("after the first epoch").block(block);
        return frame.render_widget(text, area);
    }
    let (low, high) = if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
    let first = lines[0].first().map_or(1.0, |point| point.0);
    let last = lines[0].last().map_or(1.0, |point| point.0).max(first + 1.0);
    let styles = [(Marker::Dot, Color::Blue), (Marker::Braille, Color::Yellow)];
    let sets = lines.iter().zip(styles).map(|(points, (marker, colour))| {
        Dataset::default()
            .marker(marker)
            .graph_type(GraphType::Line)
            .style(paint.of(colour))
            .data(points)
    });
    let number =
        |value: f64| if value >= 10.0 { format!("{value:.1}") } else { format!("{value:.3}") };
    let x = Axis::default()
        .bounds([first, last])
        .labels([format!("{first:.0}"), format!("epoch {last:.0}")]);
    let y = Axis::default().bounds([low, high]).labels([number(low), number(high)]);
    let chart = Chart::new(sets.collect()).block(block).x_axis(x).y_axis(y);
    frame.render_widget(chart, area);
}

fn table(run: &Run) -> Table<'static> {
    let layers = run.history.last().map(|record| record.layers.clone()).unwrap_or_default();
    let rows = layers.into_iter().map(|layer| {
        let spikes = format!("{:.1}", layer.spikes_per_sample);
        Row::new([layer.layer, spikes, layer.silent.to_string()])
    });
    let widths = [Constraint::Min(16), Constraint::Length(16), Constraint::Length(16)];
    Table::new(rows, widths)
        .header(Row::new(["layer", "spikes a sample", "silent neurons"]))
        .block(Block::bordered().title("last epoch"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{Live, State};
    use eventprop::metrics::{LayerActivity, Score};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn run(epochs: u32) -> Run {
        let record = |epoch: u32| eventprop::EpochRecord {
            epoch,
            lr: 0.1,
            train_loss: 1.0 / f64::from(epoch),
            train_accuracy: 0.9,
            validation: None,
            test: Score { loss: 1.2 / f64::from(epoch), accuracy: 0.8 },
            layers: vec![LayerActivity {
                layer: "hidden".into(),
                spikes_per_sample: 123.4,
                silent: 17,
            }],
            grazing: 0,
            clipped: 0,
            lifted: 0,
            bumps: 0,
            bump_gave_up: 0,
            samples: 100,
            seconds: 1.0,
        };
        let live = Live {
            state: State::Finished,
            epoch: 2,
            epochs: 30,
            batch: 50,
            batches: 100,
            loss: 0.25,
            accuracy: 0.93,
            samples_per_second: 4321.0,
            seconds_left: 75.0,
            written: 0,
        };
        let history = (1..=epochs).map(record).collect();
        Run { name: "a-run".into(), history, live: (epochs > 0).then_some(live) }
    }

    fn screen(run: &Run, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, run, true)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn eighty_by_twenty_four_shows_all() {
        let text = screen(&run(9), 80, 24);
        for part in [
            "a-run: finished",
            "epoch 3/30  batch 50/100",
            "loss 0.2500  accuracy 93.00 %  4321 samples/s",
            "accuracy (%), dots: test set",
            "epoch 9",
            "hidden",
            "123.4",
            "17",
        ] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
    }

    #[test]
    fn any_size_and_any_run_can_be_drawn() {
        for epochs in [0, 1, 2, 400] {
            for (width, height) in [(80, 24), (1, 1), (20, 5), (200, 60)] {
                screen(&run(epochs), width, height);
            }
        }
        let mut broken = run(3);
        broken.history[1].test.loss = f64::NAN;
        screen(&broken, 80, 24);
    }
}
