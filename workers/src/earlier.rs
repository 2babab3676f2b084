//! What the gate must know of the decisions before a look: gatekeepers and whoever judges again for a look count them
//! alike.

use std::collections::HashSet;

use forecasting::gate::{Look, PastLook};
use registry::{Decision, JobId};

/// The newest so many decisions on a model are looked through: more than a year of nights.
pub const MOST_EARLIER: u32 = 500;

/// The look with this number. `latest` is the decision of the look before it, if there was one.
pub fn look(number: u32, latest: Option<&Decision>) -> Look {
    let before = latest.map(|decision| decision.judgement.looks).unwrap_or_default();
    Look { number, compared_before: before.at_candidate, bets_before: before.bets_at_candidate }
}

/// Those among the decisions on a model, which come latest first, that were made before this one.
pub fn before<'a>(decisions: &'a [Decision], this: &Decision) -> &'a [Decision] {
    &decisions[decisions.partition_point(|other| other.id >= this.id)..]
}

/// What the decisions on a model, which come latest first, were as looks at their rows, before another look at the
/// candidate of `job`. All bets on a candidate share a part of `alpha`, so the latest stands for them; of those on the
/// candidate itself its [`Look`] tells.
pub fn past_looks(decisions: &[Decision], job: &JobId) -> Vec<PastLook> {
    let mut bet_on = HashSet::from([job]);
    let newest = decisions.iter().take(MOST_EARLIER as usize);
    let counted = newest.filter(|decision| {
        decision.judgement.statistics.since_shift.is_none() || bet_on.insert(&decision.job)
    });
    counted.filter_map(|decision| decision.judgement.as_past_look()).collect()
}

#[cfg(test)]
mod tests {
    use forecasting::{
        gate::{AverageTest, Evidence, Judgement, Looks, SinceShift, Statistics},
        names::ModelName,
    };
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn day(day: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * day)
    }

    fn decision(id: u64, judgement: Judgement) -> Decision {
        Decision {
            id,
            job: JobId::new(format!("job-{id}")).expect("is an id"),
            model: ModelName::new("bike-demand").expect("is a name"),
            version: Some(1),
            judged_against: None,
            look: 1,
            as_of: day(0),
            judgement,
            scored_rows: None,
            decided_at: day(0),
            promoted: None,
            barred_by: None,
        }
    }

    /// A judgement that compared the losses of days 1 to 28.
    fn compared() -> Judgement {
        let average = AverageTest {
            origins: 28,
            mean_gain: 0.1,
            standard_error: 0.1,
            overlap: 1,
            bandwidth: 5,
            statistic: Some(1.0),
            degrees_of_freedom: 8.0,
            critical: 2.0,
            p: Some(0.17),
            alpha: 0.04,
        };
        let evidence =
            Evidence { first_origin: Some(day(1)), last_target: Some(day(28)), ..Evidence::default() };
        let looks =
            Looks { at_candidate: 1, at_these_rows: 1, expected_by_luck: 0.04, left: 24, ..Looks::default() };
        let statistics = Statistics { average: Some(average), ..Statistics::default() };
        Judgement { evidence, statistics, looks, ..Judgement::no_candidate("") }
    }

    /// A judgement by bets, the second look at its candidate.
    fn bets() -> Judgement {
        let since_shift = SinceShift { wealth: 2.0, needed_wealth: 40.0, decided_after: None, origins: 3 };
        let statistics = Statistics { since_shift: Some(since_shift), ..Statistics::default() };
        Judgement { statistics, looks: Looks { bets_at_candidate: 2, ..Looks::default() }, ..compared() }
    }

    #[test]
    fn bets_on_a_candidate_are_one_look_and_its_own_are_not_among_them() {
        let job = |name: &str| JobId::new(name).expect("is an id");
        let on = |name, id| Decision { job: job(name), ..decision(id, bets()) };
        let decisions =
            [on("mine", 5), on("theirs", 4), on("mine", 3), on("theirs", 2), decision(1, compared())];
        let levels = |mine: &str| -> Vec<f64> {
            past_looks(&decisions, &job(mine)).iter().map(|look| look.level).collect()
        };
        assert_eq!(levels("mine"), [0.025, 0.04]);
        assert_eq!(levels("new"), [0.025, 0.025, 0.04]);
        let again = look(3, Some(&decisions[0]));
        assert_eq!(again, Look { number: 3, compared_before: 0, bets_before: 2 });
    }

    #[test]
    fn only_decisions_that_compared_losses_were_looks_at_rows() {
        let decisions = [decision(2, compared()), decision(1, Judgement::no_candidate("no history"))];
        let past = PastLook { first_origin: day(1), last_target: day(28), level: 0.04 };
        let new = JobId::new("new").expect("is an id");
        assert_eq!(past_looks(&decisions, &new), [past]);
        assert_eq!(past_looks(&vec![decision(1, compared()); 600], &new).len(), 500);
    }

    #[test]
    fn what_was_decided_later_was_not_earlier() {
        let decisions = [5, 4, 2].map(|id| decision(id, compared()));
        let before = |id| before(&decisions, &decision(id, compared())).iter().map(|other| other.id);
        assert_eq!(before(5).collect::<Vec<_>>(), [4, 2]);
        assert_eq!(before(3).collect::<Vec<_>>(), [2]);
        assert_eq!(before(2).count(), 0);
    }

    #[test]
    fn a_look_knows_how_many_before_it_compared_losses() {
        assert_eq!(look(1, None), Look::FIRST);
        let (early, late) = (decision(1, Judgement::no_candidate("few days")), decision(1, compared()));
        assert_eq!(look(2, Some(&early)), Look { number: 2, ..Look::FIRST });
        assert_eq!(look(2, Some(&late)), Look { number: 2, compared_before: 1, bets_before: 0 });
    }
}
