use super::*;

#[test]
fn portable_runs_wherever_it_is_asked_for() {
    let (chosen, _) = choose(Runtime::Portable, 1).unwrap();
    assert_eq!(chosen, Chosen::Portable);
}

#[test]
fn auto_names_the_fact_that_speaks_against_glommio() {
    let (chosen, reason) = choose(Runtime::Auto, 1).unwrap();
    match Probe::for_shards(1).glommio_refused() {
        Some(fact) => {
            assert_eq!(chosen, Chosen::Portable);
            assert!(reason.contains(fact.name), "{reason}");
            let refused = choose(Runtime::Glommio, 1).unwrap_err().to_string();
            assert!(refused.contains(&fact.remedy), "{refused}");
        }
        None => assert_eq!(chosen.name(), "glommio"),
    }
}

#[test]
fn runtimes_are_read_as_they_are_written() {
    for runtime in [Runtime::Auto, Runtime::Glommio, Runtime::Portable] {
        assert_eq!(runtime.to_string().parse(), Ok(runtime));
    }
    assert!("tokio".parse::<Runtime>().is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn kernel_releases_and_quotas_are_read() {
    assert!(linux::at_least("5.8.0-1-amd64", 5, 8));
    assert!(linux::at_least("6.1", 5, 8));
    assert!(!linux::at_least("5.4.0", 5, 8));
    assert_eq!(
        linux::parse_cpu_max("150000 100000\n"),
        Some((150_000, 100_000))
    );
    assert_eq!(linux::parse_cpu_max("max 100000\n"), None);
    assert_eq!(linux::parse_cpu_max("1 0"), None);
}

#[test]
fn a_fact_that_is_well_needs_no_remedy() {
    for fact in Probe::run().facts {
        assert_eq!(fact.ok, fact.remedy.is_empty(), "{fact}");
        assert!(!fact.found.is_empty());
    }
}
