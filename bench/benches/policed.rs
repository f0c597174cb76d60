//! What a whole server spends on a message under all policies, by what it spends under none, on each runtime and lane.
//! `cargo bench -p worldshard-bench --bench policed`; a word that follows `--` leaves only rows with it in their names.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    match linux::main() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("policed: {why}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("policed: only on Linux");
}

#[cfg(target_os = "linux")]
mod linux {
    use worldshard::Runtime;
    use worldshard_bench::compare::{Ended, Spread, stopped_by_signals};
    use worldshard_bench::policed::{self, Figures, Plan, SERVE};

    pub(super) fn main() -> Result<(), String> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        if let [serve, runtime, shards, policies] = &words[..]
            && serve == SERVE
        {
            let named = |one: &Runtime| one.to_string() == *runtime;
            let runtime = RUNTIMES.into_iter().find(named).ok_or("no such runtime")?;
            let shards = shards.parse().map_err(|_| "no number of shards")?;
            let served = policed::serve(runtime, shards, policies == "on");
            return served.map_err(|error| error.to_string());
        }
        let is = |word: &str| words.iter().any(|one| one == word);
        // As other benches do: without `--bench`, or with `--test`, everything once and nothing to be quoted.
        let measures = is("--bench") && !is("--test");
        let filter = words.iter().find(|word| !word.starts_with("--"));
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let stop = stopped_by_signals().map_err(|error| error.to_string())?;
        println!(
            "{:<36} {:>26} {:>26} {:>24}",
            "CPU time of a message", "off, ns", "on, ns", "more, %"
        );
        for runtime in RUNTIMES {
            for (lane, in_flight, shards) in ROWS {
                let shared = if shards == 1 { "" } else { ", 2 shards" };
                let name = format!("{runtime}, {lane}, {in_flight} in flight{shared}");
                if filter.is_some_and(|word| !name.contains(word.as_str())) {
                    continue;
                }
                let plan = Plan {
                    program: program.clone(),
                    runtime,
                    shards,
                    hot: lane == "hot",
                    connections: 16,
                    in_flight,
                    rounds: if measures { 9 } else { 1 },
                    turns: if measures { 6 } else { 1 },
                    messages: match (measures, in_flight) {
                        (true, 1) => 1000,
                        (true, _) => 4800,
                        (false, _) => 16,
                    },
                };
                match policed::run(&plan, &stop) {
                    Ok(figures) => say(&name, &figures),
                    Err(Ended::Interrupted) => return Err("interrupted".to_owned()),
                    // Not everywhere is io_uring allowed.
                    Err(Ended::Failed(why)) if runtime == Runtime::Glommio => {
                        println!("{name:<36} {why}");
                    }
                    Err(Ended::Failed(why)) => return Err(why),
                }
            }
        }
        Ok(())
    }

    fn say(name: &str, figures: &Figures) {
        let ns = |spread: Spread| {
            let Spread {
                least,
                median,
                most,
            } = spread;
            format!("{median:.0} ({least:.0} to {most:.0})")
        };
        let more = |ratio: f64| (ratio - 1.0) * 100.0;
        let Spread {
            least,
            median,
            most,
        } = figures.ratio;
        let percent = format!(
            "{:+.1} ({:+.1} to {:+.1})",
            more(median),
            more(least),
            more(most)
        );
        println!(
            "{name:<36} {:>26} {:>26} {percent:>24}",
            ns(figures.off_ns),
            ns(figures.on_ns)
        );
    }

    /// The lane, messages of each connection in flight, and shards.
    const ROWS: [(&str, usize, u16); 5] = [
        ("hot", 1, 1),
        ("hot", 16, 1),
        ("ext", 1, 1),
        ("ext", 16, 1),
        // Tenants and users share buckets between threads there.
        ("hot", 16, 2),
    ];

    const RUNTIMES: [Runtime; 2] = [Runtime::Portable, Runtime::Glommio];
}
