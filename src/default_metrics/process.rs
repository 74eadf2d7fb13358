//! The `process_*` families, from any thread and without JavaScript.
//!
//! On Linux they are read at each call, from /proc and `getrlimit`, so that they stay current while the
//! event loop is blocked. A figure that cannot be read now (no file descriptor left, a restricted /proc, another
//! system) comes from the last sample of a JavaScript thread, else from the last reading: an alert on
//! `process_open_fds` must not end when no file can be opened. Nothing here fails.

use std::sync::{Mutex, PoisonError};

use prometheus::proto::MetricFamily;

use crate::{
    default_metrics::descriptors::{self, Descriptor},
    default_metrics::node::ProcessSample,
};

/// The figures of this process, in seconds and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// CPU time in user mode.
    pub cpu_user: Option<f64>,
    /// CPU time in the kernel.
    pub cpu_system: Option<f64>,
    /// The start time, since the epoch.
    pub start_time: Option<f64>,
    /// Resident memory.
    pub resident_memory: Option<f64>,
    /// Virtual memory.
    pub virtual_memory: Option<f64>,
    /// The data segment (`VmData`).
    pub heap: Option<f64>,
    /// Open file descriptors.
    pub open_fds: Option<f64>,
    /// The soft limit on open file descriptors.
    pub max_fds: Option<f64>,
}

/// Returns the current figures. `sampled` are those of the last sample of a JavaScript thread.
#[must_use]
pub fn figures(sampled: Option<&ProcessSample>) -> Figures {
    static LAST: Mutex<Option<Figures>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let sampled = sampled.map(from_sample).unwrap_or_default();
    let figures = complete(read(), sampled, last.take().unwrap_or_default());
    *last.insert(figures)
}

/// The figures that the recorder reads at the end of each step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU time in seconds.
    pub cpu: Option<f64>,
    /// Resident memory in bytes.
    pub resident_memory: Option<f64>,
}

/// Returns the figures that take little time to read. `sampled` are those of a JavaScript thread.
#[must_use]
pub fn usage(sampled: Option<&ProcessSample>) -> Usage {
    let read = read_usage();
    Usage {
        cpu: read.cpu.or(sampled.map(|sample| sample.cpu_user + sample.cpu_system)),
        resident_memory: read.resident_memory.or(sampled.and_then(|sample| sample.resident_memory)),
    }
}

/// Returns the families of the current figures.
#[must_use]
pub fn families(sampled: Option<&ProcessSample>) -> Vec<MetricFamily> {
    render(&figures(sampled))
}

/// Returns the figures of `read`. A figure that is missing there, except `max_fds`, comes from the sample,
/// else from the last reading. CPU time never falls, and the start time does not change.
fn complete(read: Figures, sampled: Figures, last: Figures) -> Figures {
    // Two sources of CPU time differ by some milliseconds, and a counter must never fall.
    let counter = |value: Option<f64>, last: Option<f64>| match (value, last) {
        (Some(value), Some(last)) => Some(value.max(last)),
        (value, last) => value.or(last),
    };
    Figures {
        cpu_user: counter(read.cpu_user.or(sampled.cpu_user), last.cpu_user),
        cpu_system: counter(read.cpu_system.or(sampled.cpu_system), last.cpu_system),
        // A start time that varies looks like a restart.
        start_time: last.start_time.or(read.start_time).or(sampled.start_time),
        resident_memory: read.resident_memory.or(sampled.resident_memory).or(last.resident_memory),
        virtual_memory: read.virtual_memory.or(last.virtual_memory),
        heap: read.heap.or(last.heap),
        open_fds: read.open_fds.or(last.open_fds),
        max_fds: read.max_fds,
    }
}

fn from_sample(sample: &ProcessSample) -> Figures {
    Figures {
        cpu_user: Some(sample.cpu_user),
        cpu_system: Some(sample.cpu_system),
        start_time: Some(sample.start_time),
        resident_memory: sample.resident_memory,
        ..Figures::default()
    }
}

fn render(figures: &Figures) -> Vec<MetricFamily> {
    let cpu = figures.cpu_user.zip(figures.cpu_system).map(|(user, system)| user + system);
    let table: [(&Descriptor, Option<f64>); 9] = [
        (&descriptors::CPU_USER, figures.cpu_user),
        (&descriptors::CPU_SYSTEM, figures.cpu_system),
        (&descriptors::CPU, cpu),
        (&descriptors::START_TIME, figures.start_time),
        (&descriptors::RESIDENT_MEMORY, figures.resident_memory),
        (&descriptors::VIRTUAL_MEMORY, figures.virtual_memory),
        (&descriptors::PROCESS_HEAP, figures.heap),
        (&descriptors::OPEN_FDS, figures.open_fds),
        (&descriptors::MAX_FDS, figures.max_fds),
    ];
    table
        .into_iter()
        .filter_map(|(descriptor, value)| Some(descriptor.family([(Vec::new(), value?)])))
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn read() -> Figures {
    Figures::default()
}

#[cfg(not(target_os = "linux"))]
fn read_usage() -> Usage {
    Usage::default()
}

#[cfg(target_os = "linux")]
fn read_usage() -> Usage {
    linux::read_usage("/proc/self")
}

#[cfg(target_os = "linux")]
fn read() -> Figures {
    linux::read("/proc/self")
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs, io, time::SystemTime};

    use rustix::{
        io::Errno,
        param::{clock_ticks_per_second, page_size},
        process::{Resource, getrlimit},
        time::{ClockId, clock_gettime},
    };

    use super::{Figures, Usage};

    /// Reads the figures of a process from its folder in /proc. Each file is read separately: a sandbox
    /// may hide some of them.
    pub(super) fn read(folder: &str) -> Figures {
        let file = |name| fs::read_to_string(format!("{folder}/{name}")).unwrap_or_default();
        let (stat, status) = (file("stat"), file("status"));
        let ticks = |field| stat_field(&stat, field).map(seconds);
        let bytes = |name| kibibytes(&status, name).map(|kib| float(kib * 1024));
        let max_fds = getrlimit(Resource::Nofile).current.map(float);
        Figures {
            cpu_user: ticks(USER_TIME),
            cpu_system: ticks(SYSTEM_TIME),
            start_time: ticks(START_TIME).and_then(start_time),
            resident_memory: bytes("VmRSS:"),
            virtual_memory: bytes("VmSize:"),
            heap: bytes("VmData:"),
            open_fds: open_fds(folder, max_fds),
            max_fds,
        }
    }

    /// Reads the figures of this process that one system call and one short file have.
    pub(super) fn read_usage(folder: &str) -> Usage {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let cpu = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
        let statm = fs::read_to_string(format!("{folder}/statm")).unwrap_or_default();
        let pages =
            statm.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
        let resident_memory = pages.map(|pages| float(pages * page_size() as u64));
        Usage { cpu: Some(cpu), resident_memory }
    }

    // Fields of `stat`, by their numbers in `proc_pid_stat(5)`.
    const USER_TIME: usize = 14;
    const SYSTEM_TIME: usize = 15;
    const START_TIME: usize = 22;

    /// Returns a field of `stat`. The second field is the name, which may have spaces and parentheses.
    fn stat_field(stat: &str, field: usize) -> Option<u64> {
        let (_, after_name) = stat.rsplit_once(')')?;
        after_name.split_ascii_whitespace().nth(field - 3)?.parse().ok()
    }

    /// Returns a figure of `status`.
    fn kibibytes(status: &str, name: &str) -> Option<u64> {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        value.strip_suffix("kB")?.trim().parse().ok()
    }

    /// Returns the number of open descriptors, without the one that lists them.
    fn open_fds(folder: &str, max_fds: Option<f64>) -> Option<f64> {
        let folder = format!("{folder}/fd");
        // Since Linux 6.2 the size of the folder is the number, so no descriptor is needed, and no list of
        // perhaps 100,000 entries is read.
        let size = fs::metadata(&folder).ok()?.len();
        if size > 0 {
            return Some(float(size));
        }
        match fs::read_dir(&folder) {
            Ok(entries) => Some(float((entries.count() as u64).saturating_sub(1))),
            // No descriptor is left for the list: the limit is reached.
            Err(error) if is_out_of_descriptors(&error) => max_fds,
            Err(_) => None,
        }
    }

    fn is_out_of_descriptors(error: &io::Error) -> bool {
        Errno::from_io_error(error) == Some(Errno::MFILE)
    }

    /// Returns the start time since the epoch. `after_boot` is the time from the boot to the start. /proc/stat
    /// has the time of the boot, but is not read, because a /proc mounted with `subset=pid` does not have it.
    fn start_time(after_boot: f64) -> Option<f64> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let since_boot = clock_gettime(ClockId::Boottime);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let since_boot = since_boot.tv_sec as f64 + since_boot.tv_nsec as f64 / 1e9;
        let start = now.as_secs_f64() - since_boot + after_boot;
        Some((start * 100.0).round() / 100.0)
    }

    fn seconds(ticks: u64) -> f64 {
        float(ticks) / float(clock_ticks_per_second())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "every figure here is far below 2^53, and the format has only floats"
    )]
    fn float(figure: u64) -> f64 {
        figure as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(families: &[MetricFamily]) -> Vec<&str> {
        families.iter().map(MetricFamily::name).collect()
    }

    #[test]
    fn a_missing_figure_has_no_family() {
        assert!(render(&Figures::default()).is_empty());
        let figures = Figures { cpu_user: Some(1.0), open_fds: Some(3.0), ..Figures::default() };
        assert_eq!(
            names(&render(&figures)),
            ["process_cpu_user_seconds_total", "process_open_fds"]
        );
    }

    const SAMPLE: ProcessSample = ProcessSample {
        cpu_user: 1.5,
        cpu_system: 0.25,
        resident_memory: Some(7000.0),
        start_time: 1_700_000_000.0,
    };

    #[test]
    fn a_sample_alone_gives_five_families() {
        let none = Figures::default;
        let families = render(&complete(none(), from_sample(&SAMPLE), none()));
        assert_eq!(
            names(&families),
            [
                "process_cpu_user_seconds_total",
                "process_cpu_system_seconds_total",
                "process_cpu_seconds_total",
                "process_start_time_seconds",
                "process_resident_memory_bytes",
            ]
        );
        assert_eq!(families[2].get_metric()[0].get_counter().get_value(), 1.75);
    }

    #[test]
    fn figures_that_cannot_be_read_come_from_the_sample_and_from_the_last_reading() {
        let last = Figures {
            cpu_user: Some(1.0),
            cpu_system: Some(0.5),
            start_time: Some(1_600_000_000.0),
            resident_memory: Some(1.0),
            virtual_memory: Some(2.0),
            heap: Some(3.0),
            open_fds: Some(4.0),
            max_fds: Some(5.0),
        };
        let read = Figures { open_fds: Some(9.0), max_fds: Some(10.0), ..Figures::default() };
        let expected = Figures {
            cpu_user: Some(1.5),
            cpu_system: Some(0.5),
            start_time: Some(1_600_000_000.0),
            resident_memory: Some(7000.0),
            virtual_memory: Some(2.0),
            heap: Some(3.0),
            open_fds: Some(9.0),
            max_fds: Some(10.0),
        };
        assert_eq!(complete(read, from_sample(&SAMPLE), last), expected);
        let without_sample = complete(Figures::default(), Figures::default(), last);
        assert_eq!(without_sample, Figures { max_fds: None, ..last });
    }

    #[test]
    fn cpu_time_never_falls() {
        let cpu = |cpu_user| Figures { cpu_user: Some(cpu_user), ..Figures::default() };
        let none = Figures::default;
        assert_eq!(complete(cpu(1.0), none(), cpu(2.0)).cpu_user, Some(2.0));
        assert_eq!(complete(cpu(3.0), none(), cpu(2.0)).cpu_user, Some(3.0));
        assert_eq!(complete(none(), cpu(1.0), cpu(2.0)).cpu_user, Some(2.0));
    }

    #[cfg(target_os = "linux")]
    mod on_linux {
        use std::{
            fs, hint, thread,
            time::{Duration, Instant, SystemTime},
        };

        use super::*;

        fn figures() -> Figures {
            super::figures(None)
        }

        #[test]
        fn all_nine_families_are_in_prom_clients_order() {
            let expected: Vec<_> =
                descriptors::defaults().take(9).map(|descriptor| descriptor.name).collect();
            assert_eq!(names(&families(None)), expected);
        }

        #[test]
        fn work_on_another_thread_shows_as_cpu_seconds() {
            let before = figures();
            let deadline = Instant::now() + Duration::from_secs(20);
            let spent = thread::spawn(move || {
                loop {
                    for i in 0..1_000_000_u64 {
                        hint::black_box(i);
                    }
                    let spent = figures().cpu_user.unwrap() - before.cpu_user.unwrap();
                    if spent > 0.05 || Instant::now() > deadline {
                        return spent;
                    }
                }
            });
            assert!(spent.join().unwrap() > 0.05);
        }

        #[test]
        fn the_start_time_is_in_the_near_past_and_does_not_change() {
            let start = figures().start_time.unwrap();
            let now =
                SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
            assert!(start <= now + 2.0 && now - start < 3600.0, "started {} s ago", now - start);
            assert_eq!(figures().start_time, Some(start));
        }

        #[test]
        fn memory_is_plausible() {
            let Figures { resident_memory, virtual_memory, heap, .. } = figures();
            let resident = resident_memory.unwrap();
            assert!(resident > 500_000.0 && resident < 8e9, "{resident}");
            assert!(virtual_memory.unwrap() >= resident);
            assert!(heap.unwrap() > 0.0);
        }

        #[test]
        fn an_open_file_is_one_more_descriptor() {
            // 200 files are far more than other tests open at the same time.
            let before = figures().open_fds.unwrap();
            let files: Vec<_> =
                (0..200).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
            let more = figures().open_fds.unwrap() - before;
            assert!((150.0..250.0).contains(&more), "{more} more");
            drop(files);
        }

        #[test]
        fn the_limit_is_the_soft_one() {
            let limits = fs::read_to_string("/proc/self/limits").unwrap();
            let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
            let soft: f64 = line.split_whitespace().nth(3).unwrap().parse().unwrap();
            assert_eq!(figures().max_fds, Some(soft));
        }

        #[test]
        fn if_the_folder_is_hidden_only_the_limit_is_read() {
            let figures = linux::read("/proc/nothing");
            assert_eq!(Figures { max_fds: None, ..figures }, Figures::default());
            assert!(figures.max_fds.is_some());
        }

        #[test]
        fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
            let name = "a) R 1 2 (b";
            let named = thread::Builder::new().spawn(move || {
                fs::write("/proc/thread-self/comm", name).unwrap();
                linux::read("/proc/thread-self")
            });
            let figures = named.unwrap().join().unwrap();
            let start = figures.start_time.unwrap();
            let process = read().start_time.unwrap();
            assert!(start >= process && start - process < 3600.0, "{start} {process}");
        }
    }
}
