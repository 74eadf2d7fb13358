//! Readings: values, starts and labels, slot by slot.

use super::*;

fn reading(counter: &Arc<TraceCounter>) -> Reading {
    Reading::new(Arc::clone(counter), None)
}

fn values(reading: &mut Reading) -> Vec<f64> {
    std::iter::from_fn(|| reading.step()).flatten().map(|series| series.value).collect()
}

#[test]
fn a_reading_has_the_value_the_start_and_the_labels_of_each_series() {
    let counter = Arc::new(counter_with(&[], 100));
    let mut thread = Thread::join(&counter);
    for (class, times) in [("A", 2), ("B", 1)] {
        let slot = counter.intern([class]).slot;
        (0..times).for_each(|_| thread.count(&counter, slot));
    }
    let mut reading = reading(&counter);
    let step = reading.step().expect("a step");
    assert_eq!(step.iter().map(|series| series.value).collect::<Vec<_>>(), [2.0, 1.0]);
    assert!(Start::NEVER < step[0].start && step[0].start < step[1].start);
    assert_eq!(reading.labels([1, 0, 7]), [["object_classname", "B"], ["object_classname", "A"]]);
    assert!(reading.step().is_none());
    let end = reading.complete();
    assert!(end > step[1].start && end > counter.state().series.start(1).expect("a series"));
    thread.leave(&counter);
}

#[test]
fn a_reading_takes_steps_and_contains_the_series_of_its_start_only() {
    let counter = Arc::new(counter_with(&[], 100_000));
    let mut thread = Thread::join(&counter);
    let mut count = |id: u32| {
        let slot = counter.intern(["A", &id.to_string()]).slot;
        thread.count(&counter, slot);
    };
    (0..3000).for_each(&mut count);
    let mut reading = reading(&counter);
    let first = reading.step().expect("a step").len();
    assert!((256..=1024).contains(&first), "{first} slots");
    (3000..3500).for_each(&mut count);
    let rest = values(&mut reading);
    assert_eq!(rest.iter().sum::<f64>(), 3000.0 - f64::from(u32::try_from(first).unwrap()));
    assert_eq!(values(&mut self::reading(&counter)).iter().sum::<f64>(), 3500.0);
    thread.leave(&counter);
}

#[test]
fn a_reset_during_a_reading_gives_the_series_a_new_start() {
    let counter = Arc::new(counter_with(&[], 100));
    let mut thread = Thread::join(&counter);
    let slot = counter.intern(["A"]).slot;
    thread.count(&counter, slot);
    let before = reading(&counter).step().expect("a step")[0].start;
    let mut reading = reading(&counter);
    counter.reset();
    thread.count(&counter, slot);
    thread.count(&counter, slot);
    let series = reading.step().expect("a step")[0];
    assert!(series.start > before);
    assert_eq!(series.value, 2.0);
    thread.leave(&counter);
}

#[test]
fn a_series_expires_only_after_the_reader_has_completed_a_reading_of_its_last_value() {
    let counter = Arc::new(expiring_counter(100));
    let mut thread = Thread::join(&counter);
    let slot = counter.intern(["A"]).slot;
    let id = ScraperId::of_reader(thread.shard(), 1);
    let read = |reader| {
        let _ = Reading::new(Arc::clone(&counter), reader).complete();
    };
    let mut now = Instant::now();
    let mut sweep = |thread: &Thread| {
        now += Duration::from_secs(100);
        counter.sweep(thread.shard(), now);
        counter.stats().expired
    };
    read(Some(id));
    thread.count(&counter, slot);
    sweep(&thread);
    read(None);
    drop(Reading::new(Arc::clone(&counter), Some(id)));
    assert_eq!(sweep(&thread), 0, "the reader has not completed a reading of this value");
    read(Some(id));
    assert_eq!(sweep(&thread), 1);
    assert_eq!(reading(&counter).step().expect("a step")[0].start, Start::NEVER);
    thread.leave(&counter);
}
