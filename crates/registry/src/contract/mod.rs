//! What every [`Registry`](crate::Registry) promises, as tests that any adapter runs: see
//! [`registry_contract!`](crate::registry_contract).
//!
//! Each test gets an empty registry that was opened twice, as by two processes (an adapter that cannot be
//! gives the same one twice).

mod acts;
mod decisions;
mod edge_cases;
mod jobs;
mod objects;
mod races;
mod samples;
mod specs;

pub use acts::*;
pub use decisions::*;
pub use edge_cases::*;
pub use jobs::*;
pub use objects::*;
pub use races::*;
pub use specs::*;

/// Makes a test of every promise. `$open` is an async function that returns one empty registry opened
/// twice, as two `Arc<dyn Registry>`, and something to keep until the test ends (its folder, its schema).
#[macro_export]
macro_rules! registry_contract {
    ($open:path) => {
        $crate::registry_contract!($open:
            a_specification_applied_again_changes_nothing
            a_changed_specification_is_a_new_version_and_an_old_one_may_come_back
            a_model_needs_its_dataset
            the_current_specifications_are_listed_by_name
            the_first_job_of_an_id_counts
            a_shift_is_kept_with_its_job
            a_job_needs_its_model
            a_job_is_proposed_once
            versions_are_numbered_per_model
            a_proposal_must_agree_with_its_job
            the_first_promotion_makes_an_incumbent
            a_promotion_retires_the_incumbent_before
            a_refusal_is_kept_whole_and_changes_no_incumbent
            a_candidate_without_enough_evidence_stays_pending
            a_candidate_that_lacks_evidence_is_looked_at_twice_more
            bets_are_looked_at_until_they_are_decided
            of_candidates_since_a_shift_the_newest_that_was_not_refused_waits
            a_winner_since_a_shift_ends_the_wait_of_those_before_it
            a_second_look_promotes_and_ends_the_wait
            a_job_without_a_candidate_is_decided_too
            a_job_is_decided_once
            who_judged_against_another_incumbent_changes_nothing
            a_decision_needs_its_job
            a_decision_must_agree_with_its_job
            an_incumbent_never_came_before_the_one_before
            gatekeepers_that_race_promote_once_per_generation
            the_same_decision_in_a_race_is_carried_out_once
            jobs_and_proposals_in_a_race_are_recorded_once
            versions_in_a_race_get_numbers_of_their_own
            what_would_not_come_back_is_not_stored
            decisions_come_back_latest_first
            a_freeze_keeps_a_winner_out_until_it_ends_and_the_verdict_stays_what_it_was
            a_freeze_is_lifted
            a_veto_keeps_one_version_out
            a_force_makes_an_incumbent_and_says_so
            a_roll_back_makes_a_retired_version_the_incumbent_again
            an_act_that_is_refused_is_recorded_and_changes_nothing
            an_act_is_recorded_once
            who_acts_on_another_incumbent_changes_nothing
            a_version_that_was_vetoed_meanwhile_is_not_put_into_use
            an_act_needs_its_model_and_its_version
            a_version_whose_artifact_has_expired_is_not_put_into_use
            a_verdict_that_comes_after_its_version_was_forced_does_not_take_it_away
            a_verdict_that_comes_after_its_version_was_rolled_back_does_not_bring_it_back
            acts_and_decisions_that_race_make_each_generation_once
            edge_cases_are_numbered_per_model_and_listed_with_who_and_why
            an_edge_case_is_there_once_until_it_is_retired
            an_edge_case_is_retired_once_and_stays_listed
            an_edge_case_needs_its_model_and_a_limit
            each_decision_is_one_look_at_the_edge_cases_that_it_replayed
            a_winner_that_has_not_replayed_the_whole_bank_is_judged_again
            edge_cases_in_a_race_get_numbers_of_their_own
            incumbents_are_listed_by_name
            a_tick_is_remembered
            instants_are_cut_to_microseconds
            only_refused_and_retired_versions_lose_their_artifacts_and_only_after_their_period
            scored_rows_go_after_their_period_and_decisions_stay
            an_object_goes_once_nothing_needs_it
            at_most_so_many_are_condemned_at_once
            what_was_condemned_is_not_taken_on_a_word_given_before
            what_nothing_refers_to_is_condemned_and_nothing_else
            cleaners_and_trainers_that_race_leave_nothing_without_its_object
        );
    };
    ($open:path: $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let (first, second, _keep) = $open().await;
                $crate::contract::$promise(first, second).await;
            }
        )*
    };
}
