//! Factors and allocations: the worked example of the standard's annexes, and what holds of any.

use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn efficiency(input: u64, output: u64, before: u64, after: u64) -> Efficiency {
    let interval = Interval::new(at("2026-01-01T00:00:00Z"), at("2026-06-01T00:00:00Z")).unwrap();
    Efficiency {
        interval,
        input: WattHours(input),
        output: WattHours(output),
        charge_before: WattHours(before),
        charge_after: WattHours(after),
    }
}

/// Charges A, B and C of consecutive hours.
fn charges(energies: [u64; 3]) -> Vec<Open> {
    let open = |(id, energy)| Open {
        scr_id: ScrId(id),
        start: at("2026-06-01T10:00:00Z") + (id - 1).hours(),
        energy: WattHours(energy),
    };
    (1..).zip(energies).map(open).collect()
}

fn drawn(method: AllocationMethod, energies: [u64; 3], need: u128) -> Vec<(i64, u64)> {
    allocate(method, &charges(energies), need).into_iter().map(|(scr, energy)| (scr.0, energy.0)).collect()
}

#[test]
fn the_worked_example_draws_by_each_method() {
    use AllocationMethod::{Fifo, Lifo, WeightedAverage};
    let factor = efficiency(5_000_000, 4_500_000, 0, 0);
    assert_eq!((factor.gross_of(WattHours(720_000)), factor.gross_of(WattHours(450_000))), (800_000, 500_000));
    let all = [600_000, 500_000, 200_000];
    assert_eq!(drawn(Fifo, all, 800_000), [(1, 600_000), (2, 200_000)]);
    assert_eq!(drawn(Fifo, [0, 300_000, 200_000], 500_000), [(2, 300_000), (3, 200_000)]);
    assert_eq!(drawn(Lifo, all, 800_000), [(3, 200_000), (2, 500_000), (1, 100_000)]);
    assert_eq!(drawn(Lifo, [500_000, 0, 0], 500_000), [(1, 500_000)]);
    assert_eq!(drawn(WeightedAverage, all, 800_000), [(1, 369_231), (2, 307_692), (3, 123_077)]);
    for (gross, net) in [(600_000, 540_000), (200_000, 180_000), (369_231, 332_307), (307_692, 276_922)] {
        assert_eq!(factor.net_of(WattHours(gross)), WattHours(net), "{gross}");
    }
}

#[test]
fn the_reference_vector_of_the_demonstration_registry() {
    // its 129,884,806.6 Wh are kept in whole Wh; the share of the discharge that the first charge covers is 0.385325
    let factor = efficiency(100, 89, 0, 0);
    let need = factor.gross_of(WattHours(300_000_000));
    assert_eq!(need, 337_078_652);
    let first = allocate(AllocationMethod::Fifo, &charges([129_884_806, 300_000_000, 0]), need)[0].1;
    assert_eq!(first, WattHours(129_884_806));
    // six digits as it has them, in integers
    assert_eq!((u128::from(first.0) * 1_000_000 + need / 2) / need, 385_325);
    assert_eq!(factor.net_of(first), WattHours(115_597_477));
}

#[test]
fn a_factor_takes_the_state_of_charge_into_account() {
    for (of, ratio, is_possible) in [
        (efficiency(5_000, 4_500, 0, 0), Some((4_500, 5_000)), true),
        (efficiency(5_000, 4_500, 300, 0), Some((4_200, 5_000)), true),
        (efficiency(5_000, 4_500, 0, 500), Some((5_000, 5_000)), true),
        (efficiency(5_000, 4_500, 0, 501), Some((5_001, 5_000)), false),
        (efficiency(5_000, 300, 300, 0), None, false),
        (efficiency(5_000, 299, 300, 0), None, false),
        (efficiency(0, 100, 0, 0), None, false),
        (efficiency(100, 0, 0, 0), None, false),
    ] {
        assert_eq!((of.ratio(), of.is_possible()), (ratio, is_possible), "{of:?}");
    }
    // the week of the demonstration registry's test file, without and with what came out before anything was charged
    let week = efficiency(9_311_649_191, 8_697_810_426, 299_910_006, 0);
    assert_eq!(week.decimal(5), "0.90187");
    assert_eq!(efficiency(9_311_649_191, 8_697_810_426, 0, 0).decimal(5), "0.93407");
    assert_eq!(efficiency(7, 7, 0, 0).decimal(3), "1.000");
}

#[test]
fn a_first_factor_has_six_calendar_months() {
    for (start, until) in [
        ("2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z"),
        ("2026-08-31T12:00:00Z", "2027-02-28T12:00:00Z"),
        ("2027-08-29T00:00:00Z", "2028-02-29T00:00:00Z"),
    ] {
        assert_eq!(first_factor_until(at(start)), Some(at(until)));
    }
    assert_eq!(first_factor_until(Timestamp::MAX), None);
}

#[test]
fn of_a_partly_backed_charge_the_backed_part_is_taken_first() {
    let charge = Share { backed: WattHours(60), unbacked: WattHours(40) };
    let share = |backed, unbacked| Some(Share { backed: WattHours(backed), unbacked: WattHours(unbacked) });
    for (energy, taken) in
        [(0, share(0, 0)), (50, share(50, 0)), (75, share(60, 15)), (100, share(60, 40)), (101, None)]
    {
        assert_eq!(charge.take(WattHours(energy)), taken, "{energy}");
    }
}

#[test]
fn equal_remainders_go_to_the_older_charge() {
    assert_eq!(drawn(AllocationMethod::WeightedAverage, [1, 1, 1], 2), [(1, 1), (2, 1)]);
    assert_eq!(drawn(AllocationMethod::WeightedAverage, [0, 0, 0], 2), []);
}

proptest! {
    #[test]
    fn a_need_is_drawn_exactly_or_all_there_is(
        energies in proptest::collection::vec(1..9_000_000_000_000_000_u64, 0..12),
        need in prop_oneof![0..1_000_u128, 0..90_000_000_000_000_000_u128],
        method in 0..3_usize,
    ) {
        let method = AllocationMethod::ALL[method];
        let charges: Vec<Open> = (1..).zip(&energies).map(|(id, energy)| Open {
            scr_id: ScrId(id),
            start: Timestamp::UNIX_EPOCH + (id % 5).hours(),
            energy: WattHours(*energy),
        }).collect();
        let sum: u128 = energies.iter().map(|energy| u128::from(*energy)).sum();
        let drawn = allocate(method, &charges, need);
        prop_assert_eq!(drawn.iter().map(|(_, energy)| u128::from(energy.0)).sum::<u128>(), need.min(sum));
        for (scr, energy) in drawn {
            let charge = charges.iter().find(|charge| charge.scr_id == scr).unwrap();
            prop_assert!(WattHours(0) < energy && energy <= charge.energy);
            if method == AllocationMethod::WeightedAverage {
                let exact = need.min(sum) * u128::from(charge.energy.0);
                prop_assert!(u128::from(energy.0) * sum < exact + sum && exact < (u128::from(energy.0) + 1) * sum);
            }
        }
    }

    #[test]
    fn what_comes_out_is_never_more_than_was_discharged(
        input in 1..9_000_000_000_000_000_u64,
        part in 1..=1_000_u64,
        energy in 1..9_000_000_000_000_000_u64,
        cuts in proptest::collection::vec(0..=1_000_u128, 0..6),
    ) {
        let output = (u128::from(input) * u128::from(part) / 1_000).max(1);
        let factor = efficiency(input, u64::try_from(output).unwrap(), 0, 0);
        let need = factor.gross_of(WattHours(energy));
        // the need in any parts: their certificates are together at most the discharge
        let (mut left, mut out) = (need, 0_u128);
        for cut in cuts.into_iter().chain([1_000]) {
            let taken = left * cut / 1_000;
            left -= taken;
            if let Ok(taken) = u64::try_from(taken) {
                out += u128::from(factor.net_of(WattHours(taken)).0);
            }
        }
        prop_assert!(out <= u128::from(energy));
    }
}
