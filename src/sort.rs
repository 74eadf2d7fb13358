//! Sorting where speed does not matter: of the rows of documents.
//!
//! The algorithm of the standard library is compiled for each type of rows, and has 15 kB each time.

use std::{cmp::Ordering, mem};

/// Sorts rows. Equal rows stay in their order.
pub fn sort_by<T>(rows: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    sort_numbers(&mut order, &|a, b| compare(&rows[a], &rows[b]));
    let mut unsorted: Vec<Option<T>> = mem::take(rows).into_iter().map(Some).collect();
    rows.extend(order.into_iter().filter_map(|number| unsorted[number].take()));
}

#[inline(never)]
fn sort_numbers(numbers: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    numbers.sort_by(|a, b| compare(*a, *b));
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::sort_by;

    proptest! {
        #[test]
        fn the_order_is_that_of_the_standard_library(rows in vec((0..9u8, any::<u32>()), 0..200)) {
            let (mut sorted, mut expected) = (rows.clone(), rows);
            sort_by(&mut sorted, |a, b| a.0.cmp(&b.0));
            expected.sort_by_key(|row| row.0);
            prop_assert_eq!(sorted, expected);
        }
    }
}
