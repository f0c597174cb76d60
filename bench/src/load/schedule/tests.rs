use std::time::Duration;

use super::Schedule;

const START: Duration = Duration::from_secs(100);

#[test]
fn each_sender_comes_once_per_interval_and_late_calls_lose_no_send() {
    let mut schedule = Schedule::new(4, 10.0);
    assert_eq!(schedule.take_due(START), None, "it has not begun");
    schedule.begin(START);
    let mut taken = Vec::new();
    while let Some(due) = schedule.take_due(START + Duration::from_millis(199)) {
        taken.push((due.sender, due.number, (due.at - START).as_millis()));
    }
    assert_eq!(
        taken,
        [
            (0, 0, 0),
            (1, 0, 25),
            (2, 0, 50),
            (3, 0, 75),
            (0, 1, 100),
            (1, 1, 125),
            (2, 1, 150),
            (3, 1, 175)
        ]
    );
    assert_eq!(schedule.next_at(), Some(START + Duration::from_millis(200)));
    schedule.end();
    assert_eq!(schedule.take_due(START * 2), None);
}
