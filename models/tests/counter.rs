//! Models of cell blocks and of expiry: threads count, sweep and end while a scraper reads.

mod support;

use std::sync::Arc;

use shuttle::thread;
use support::{Cache, Calls, Scraper, Thread, check, counter};

/// The steps of a thread, and its two classes. `+` counts a call of the first class, `*` of the second one,
/// and `s` sweeps.
type Steps = (&'static str, [&'static str; 2]);

fn run(threads: &[Steps], pages: usize, cache: Cache) {
    let (counter, calls) = (counter(), Arc::new(Calls::default()));
    let threads: Vec<_> = threads
        .iter()
        .map(|&(steps, classes)| {
            let mut js = Thread::new(&counter, &calls, counter.open_shard(), cache);
            thread::spawn(move || {
                for step in steps.chars() {
                    match step {
                        '+' => js.count(classes[0]),
                        '*' => js.count(classes[1]),
                        _ => js.sweep(),
                    }
                }
                js.close();
            })
        })
        .collect();
    let mut scraper = Scraper::default();
    for _ in 0..pages {
        scraper.scrape(&counter, &calls);
    }
    for thread in threads {
        thread.join().expect("no panic");
    }
    scraper.scrape(&counter, &calls);
    assert_eq!(counter.calls(), calls.ended(), "each call is counted once");
}

#[test]
fn a_page_has_each_call_once_while_threads_lend_count_and_end() {
    check(1000, || {
        run(&[("++*+", ["a", "b"]), ("*+", ["b", "a"]), ("+", ["a", ""])], 2, Cache::Dropped);
    });
}

#[test]
fn no_count_is_in_the_slot_of_another_series_while_slots_are_freed_and_reused() {
    check(1000, || run(&[("+ss+s+", ["a", ""]), ("+ss*s*+s", ["b", "c"])], 3, Cache::Dropped));
}

#[test]
#[should_panic(expected = "a count in a wrong slot")]
fn the_model_finds_a_thread_that_counts_in_a_freed_slot() {
    check(2000, || {
        run(&[("+ss+s+", ["a", ""]), ("+ss*s*+s", ["b", "c"])], 3, Cache::UsedAfterItsEnd);
    });
}
