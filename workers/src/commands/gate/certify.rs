//! `gatecast gate certify`: how often the gate is wrong, with candidates of known kinds on real errors.

use forecasting::{
    certification::{
        Certificate, CertifySettings, MOST_NIGHTS, RULES, Share, Wish, Work, certify as measure,
    },
    learning::StopFlag,
    series::Frame,
    spec::{LearnerSpec, ModelSpec, TrainSettings},
};
use jiff::Timestamp;
use serde_json::json;

use super::{super::backtest::StopOnDrop, data_files, model, read, show, threads};
use crate::{
    cli,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    terminal::{Table, WIDTH, print, print_json, progress_bar, remark, wrap},
};

/// Certifies one file after the other, and prints the tables.
pub(super) async fn certify(arguments: &cli::Certify, now: Timestamp, json: bool) -> CommandResult {
    let files = match &arguments.data {
        Some(folder) => data_files(folder)?,
        None => arguments.files.clone(),
    };
    let mut documents = Vec::new();
    for file in &files {
        let contents = read(file, &arguments.reading, now).await?;
        // Of the learners of the model none is used: certification has its own recipes.
        let learner = LearnerSpec::with_defaults("weekly-mean");
        let train = TrainSettings { seed: arguments.seed, ..TrainSettings::default() };
        let model = model(&contents.dataset, arguments.horizon, learner, train)?;
        let certificate = run(contents.frame, model, arguments.quick).await?;
        for reason in &certificate.left_out {
            remark(format_args!("{file}: left out {reason}"));
        }
        if json {
            documents.push(json!({ "file": file, "import": contents.report, "certificate": certificate }));
        } else {
            print_tables(file, &certificate);
        }
    }
    if json {
        print_json(&documents)?;
    }
    Ok(())
}

async fn run(frame: Frame, model: ModelSpec, quick: bool) -> Result<Certificate, Failure> {
    let bar = progress_bar(0);
    let stop = StopOnDrop(StopFlag::default());
    let (flag, shown) = (stop.0.clone(), bar.clone());
    let certified = tokio::task::spawn_blocking(move || {
        let tell = |stage, done, of| show(&shown, stage, done, of);
        let work = Work { threads: threads(), stop: &flag, tell: &tell };
        let settings = if quick { CertifySettings::quick(&model) } else { CertifySettings::full(&model) };
        measure(&frame, &settings, &work)
    });
    let certified = certified.await?.or_exit(ExitCode::Invalid)?;
    bar.finish_and_clear();
    Ok(certified)
}

fn print_tables(file: &str, certificate: &Certificate) {
    print(format_args!("{file}\n"));
    cells(certificate).print();
    print("");
    longer(certificate).print();
    print("");
    nights(certificate).print();
    print("");
    wrap(&legend(certificate), WIDTH).iter().for_each(print);
    print("");
}

/// Short names of the rules of others, in their order.
const OTHERS: [&str; RULES.len() - 1] = ["newest", "mean", "+max", "1 %", "R²"];

fn cells(certificate: &Certificate) -> Table {
    let [newest, mean, max, percent, r2] = OTHERS;
    let mut table =
        Table::new(["candidate", "want", "gatecast", "95 %", "wait", newest, mean, max, percent, r2]);
    for row in &certificate.rows {
        let ours = &row.outcomes[0];
        let theirs = |rule: usize| format!("{:.2}", row.outcomes[rule].promoted.share);
        table.row([
            row.cell.to_owned(),
            match row.wish {
                Wish::Promote => "in".to_owned(),
                Wish::Refuse => "out".to_owned(),
            },
            format!("{:.3}", ours.promoted.share),
            bounds(ours.promoted),
            format!("{:.2}", ours.not_enough),
            theirs(1),
            theirs(2),
            theirs(3),
            theirs(4),
            theirs(5),
        ]);
    }
    table
}

/// `.041-.078`
fn bounds(share: Share) -> String {
    let short = |bound: f64| format!("{bound:.3}").trim_start_matches('0').to_owned();
    format!("{}-{}", short(share.low), short(share.high))
}

fn longer(certificate: &Certificate) -> Table {
    let mut table = Table::new(["candidate", "promoted on so many days", "days to tell"]);
    for cell in &certificate.longer {
        let on = |(origins, share): &(usize, f64)| format!("{origins}: {share:.3}");
        let shares: Vec<String> = cell.promoted.iter().map(on).collect();
        let most = cell.promoted.last().map_or(0, |(origins, _)| *origins);
        let needed = cell.needed_origins.map_or_else(|| format!("more than {most}"), |days| days.to_string());
        table.row([cell.cell.to_owned(), shares.join("  "), needed]);
    }
    table
}

fn nights(certificate: &Certificate) -> Table {
    let mut table = Table::new(["rule", "promotes 5 % better by night", "promotes it at all"]);
    for rule in &certificate.nights {
        let median = rule.median.map_or_else(|| format!("after {MOST_NIGHTS}"), |night| night.to_string());
        table.row([rule.rule.to_owned(), median, format!("{:.2}", rule.promoted)]);
    }
    table
}

fn legend(certificate: &Certificate) -> String {
    let Certificate {
        draws, window_origins, origins, first_origin, series, window_points, fits, pairs, ..
    } = certificate;
    let by_others: Vec<String> = OTHERS
        .iter()
        .zip(&RULES[1..])
        .map(|(short, rule)| format!("{short}: if {}", rule.promotes_if))
        .collect();
    let alike = |row: usize| certificate.rows[row].outcomes[0].promoted_alike;
    let alike = match (alike(0), alike(1)) {
        (Some(equal), Some(better)) => {
            format!(" (of these pairs gatecast promotes {equal:.3} of equal and {better:.3} of better-10)")
        }
        _ => String::new(),
    };
    format!(
        "Shares promoted of {draws} windows of {window_origins} origins ({window_points:.0} points of {series} \
         series), drawn from {origins} origins from {first_origin} on; wait: not enough evidence yet; \
         days to tell: from so many on at most 0.05 get in, or at least 0.9 of what is better. {} pairs of {} fits, \
         error correlation {:.2} ({:.2} to {:.2}), {} pairs of 0.9 or more{alike}. What promotes, {}.",
        pairs.pairs,
        fits.len(),
        pairs.correlation,
        pairs.lowest,
        pairs.highest,
        pairs.alike,
        by_others.join("; "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_short() {
        let share = |low, high| bounds(Share { share: low, low, high });
        assert_eq!(share(0.041, 0.0784), ".041-.078");
        assert_eq!(share(0.0, 1.0), ".000-1.000");
    }
}
