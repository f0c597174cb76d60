//! Who is banned, until when, and what a reload of the options leaves.

use super::*;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn anna(tenant: &str) -> Banned {
    Banned::User {
        tenant: tenant.to_owned(),
        user: UserId::new("anna").unwrap(),
    }
}

fn ban(whom: Banned, reason: &str, until: Option<u64>) -> Ban {
    Ban {
        whom,
        reason: reason.to_owned(),
        until: until.map(at),
    }
}

#[test]
fn a_ban_holds_for_one_tenants_user_until_its_end() {
    let bans = Bans::default();
    let user = UserId::new("anna").unwrap();
    assert_eq!(bans.of_user("a", &user, at(5)), None);
    bans.add(&ban(anna("a"), "spam", Some(10)), at(5)).unwrap();
    assert_eq!(bans.of_user("a", &user, at(9)).as_deref(), Some("spam"));
    assert_eq!(bans.of_user("b", &user, at(9)), None);
    assert_eq!(bans.of_user("a", &user, at(10)), None);
    assert_eq!((bans.all(at(9)).len(), bans.all(at(10)).len()), (1, 0));
}

#[test]
fn a_mapped_address_is_the_one_that_it_stands_for() {
    let bans = Bans::default();
    let [short, mapped] = ["192.0.2.1", "::ffff:192.0.2.1"].map(|text| text.parse().unwrap());
    bans.add(&ban(Banned::Ip(mapped), "", None), at(0)).unwrap();
    assert!(bans.of_address(short, at(1)).is_some() && bans.of_address(mapped, at(1)).is_some());
}

#[test]
fn of_an_ipv6_address_the_first_half_counts() {
    let bans = Bans::default();
    let [said, other, neighbour] =
        ["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
    bans.add(&ban(Banned::Ip(said), "spam", None), at(0))
        .unwrap();
    assert_eq!(bans.of_address(other, at(1)).as_deref(), Some("spam"));
    assert_eq!(bans.of_address(neighbour, at(1)), None);
    assert_eq!(bans.all(at(1))[0].whom, Banned::Ip(said), "as it was said");
    assert!(bans.remove(&Banned::Ip(other)));
    assert_eq!(bans.of_address(said, at(1)), None);
}

#[test]
fn other_options_leave_those_that_were_made() {
    let bans = Bans::new(&[
        ban(anna("a"), "configured", None),
        ban(anna("b"), "configured", None),
    ]);
    let first = bans.edition();
    bans.add(&ban(anna("a"), "made", Some(10)), at(0)).unwrap();
    assert!(bans.edition() > first);
    let user = UserId::new("anna").unwrap();
    let why = |tenant, now| bans.of_user(tenant, &user, at(now));
    assert_eq!(why("a", 5).as_deref(), Some("made"));
    assert_eq!(
        why("a", 10).as_deref(),
        Some("configured"),
        "the longer one holds on"
    );
    bans.configure(&[]);
    assert_eq!((why("a", 5).as_deref(), why("b", 5)), (Some("made"), None));
    assert!(bans.remove(&anna("a")) && !bans.remove(&anna("a")));
    assert_eq!(why("a", 5), None);
}

#[test]
fn there_are_so_many_and_those_that_ended_count_for_nothing() {
    let bans = Bans::default();
    let of = |number: u32| Banned::Ip(std::net::Ipv4Addr::from_bits(number).into());
    for number in 0..BANS_MAX as u32 {
        bans.add(&ban(of(number), "", Some(10)), at(0)).unwrap();
    }
    assert!(bans.add(&ban(anna("a"), "", None), at(9)).is_err());
    assert!(bans.add(&ban(of(7), "again", None), at(9)).is_ok());
    bans.add(&ban(anna("a"), "", None), at(10)).unwrap();
    assert_eq!(bans.all(at(10)).len(), 2);
    let long = "x".repeat(BAN_REASON_BYTES_MAX + 1);
    assert!(bans.add(&ban(anna("b"), &long, None), at(10)).is_err());
}
