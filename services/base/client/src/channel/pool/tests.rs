use super::*;

const MS: Duration = Duration::from_millis(1);

/// A pool with its clock.
struct Fixture {
    pool: Pool<&'static str>,
    now: Instant,
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl Fixture {
    fn new(names: &[&str]) -> Self {
        Self { pool: Pool::new(names.iter().map(|name| (*name).to_owned())), now: Instant::now() }
    }

    /// A pool of one name with these addresses, all of which are being connected to.
    fn connecting(addresses: &[&str]) -> Self {
        let mut fixture = Self::new(&["api:1"]);
        assert_eq!(fixture.pick(), Pick::Wait);
        assert_eq!(fixture.due(), [Action::Resolve { name: 0 }]);
        let actions = fixture.resolved(addresses);
        assert_eq!(actions.len(), addresses.len());
        fixture
    }

    fn pick(&mut self) -> Pick<&'static str> {
        self.pool.pick(self.now, self.now)
    }

    fn picked(&mut self) -> u64 {
        match self.pick() {
            Pick::Use { id, .. } => id,
            other => unreachable!("{other:?}"),
        }
    }

    fn due(&mut self) -> Vec<Action> {
        self.pool.due(self.now)
    }

    fn resolved(&mut self, addresses: &[&str]) -> Vec<Action> {
        self.pool.resolved(0, Ok(addresses.iter().map(|text| address(text)).collect()), self.now)
    }

    fn connected(&mut self, id: u64) {
        self.pool.connected(id, Ok("connection"), self.now);
    }

    fn refused(&mut self, id: u64) {
        self.pool.connected(id, Err("refused".to_owned()), self.now);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }
}

#[test]
fn nobody_is_asked_for_before_the_first_call() {
    let mut fixture = Fixture::new(&["api:1"]);
    assert!(fixture.due().is_empty() && fixture.pool.next_due(fixture.now).is_none());
    assert_eq!(fixture.pick(), Pick::Wait);
    assert_eq!(fixture.due(), [Action::Resolve { name: 0 }]);
    assert!(fixture.due().is_empty(), "it is under way");
}

#[test]
fn calls_go_where_fewest_are_in_flight() {
    let mut fixture = Fixture::connecting(&["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"]);
    fixture.connected(1);
    fixture.connected(2);
    let mut first: Vec<u64> = (0..4).map(|_| fixture.picked()).collect();
    first.sort_unstable();
    assert_eq!(first, [1, 1, 2, 2]);
    // The second answers, the first is silent.
    for _ in 0..2 {
        fixture.pool.done(2);
    }
    for _ in 0..10 {
        assert_eq!(fixture.picked(), 2);
        fixture.pool.done(2);
    }
    // Equals take turns.
    for _ in 0..2 {
        fixture.pool.done(1);
    }
    let mut turns: Vec<u64> = Vec::new();
    for _ in 0..6 {
        let id = fixture.picked();
        fixture.pool.done(id);
        turns.push(id);
    }
    assert!(turns.contains(&1) && turns.contains(&2), "{turns:?}");
}

#[test]
fn those_that_serve_come_first_and_others_are_better_than_none() {
    let mut fixture = Fixture::connecting(&["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"]);
    fixture.connected(1);
    fixture.connected(2);
    fixture.pool.said(1, Word::NotServing);
    assert_eq!([fixture.picked(), fixture.picked()], [2, 2], "it has said nothing bad");
    fixture.connected(3);
    fixture.pool.said(3, Word::Serving);
    assert_eq!([fixture.picked(), fixture.picked(), fixture.picked()], [3, 3, 3]);
    fixture.pool.said(3, Word::NotServing);
    fixture.pool.closing(2);
    assert_eq!([fixture.picked(), fixture.picked()], [1, 1], "it may say itself what it lacks");
    fixture.pool.said(1, Word::Serving);
    assert_eq!([fixture.picked(), fixture.picked()], [1, 1]);
}

#[test]
fn a_replica_that_hangs_or_is_gone_holds_nobody_up() {
    let mut fixture = Fixture::connecting(&["10.0.0.1:1", "10.0.0.2:1"]);
    fixture.refused(1);
    assert_eq!(fixture.pick(), Pick::Wait, "the second has yet to say");
    fixture.connected(2);
    for _ in 0..3 {
        assert_eq!(fixture.picked(), 2);
    }
}

#[test]
fn a_call_fails_when_all_have_been_tried_since_it_came() {
    let mut fixture = Fixture::connecting(&["10.0.0.1:1", "10.0.0.2:1"]);
    let early = fixture.now;
    fixture.wait(MS);
    fixture.refused(1);
    fixture.refused(2);
    let Pick::Fail(why) = fixture.pool.pick(early, fixture.now) else { unreachable!() };
    assert_eq!(why, "cannot reach api:1 (10.0.0.1:1): refused; cannot reach api:1 (10.0.0.2:1): refused");
    fixture.wait(MS);
    assert_eq!(fixture.pick(), Pick::Wait, "a later call has the next attempt to hope for");
    assert_eq!(fixture.pool.trouble(), Some(why), "and is told if it waits in vain");
    fixture.wait(FIRST_DELAY);
    assert_eq!(fixture.due(), [Action::Resolve { name: 0 }]);
    assert_eq!(fixture.resolved(&["10.0.0.1:1", "10.0.0.2:1"]).len(), 2);
}

#[test]
fn delays_grow_to_their_maximum_and_are_reset_by_a_connection_that_lasts() {
    let mut fixture = Fixture::connecting(&["10.0.0.1:1"]);
    let mut delays = Vec::new();
    for _ in 0..10 {
        fixture.refused(1);
        let due = fixture.pool.next_due(fixture.now).unwrap();
        delays.push(due - fixture.now);
        fixture.now = due;
        // A call every now and then: else nobody is connected to.
        let _ = fixture.pick();
        assert_eq!(fixture.due(), [Action::Resolve { name: 0 }]);
        assert_eq!(fixture.resolved(&["10.0.0.1:1"]).len(), 1);
    }
    assert!(
        delays[0] <= FIRST_DELAY && delays[9] <= MAX_DELAY && delays[9] >= MAX_DELAY.mul_f64(0.7),
        "{delays:?}"
    );
    assert!(delays[3] > delays[0], "{delays:?}");
    // One that ends soon does not count.
    fixture.connected(1);
    fixture.pool.lost(1, fixture.now);
    assert!(fixture.pool.next_due(fixture.now).unwrap() - fixture.now >= MAX_DELAY.mul_f64(0.7));
    fixture.wait(MAX_DELAY);
    let _ = fixture.pick();
    assert_eq!(fixture.due().len(), 1);
    fixture.resolved(&["10.0.0.1:1"]);
    fixture.connected(1);
    fixture.wait(STEADY);
    fixture.pool.lost(1, fixture.now);
    assert_eq!(fixture.due(), [Action::Resolve { name: 0 }], "at once");
}

#[test]
fn addresses_are_asked_for_again_with_each_attempt() {
    let mut fixture = Fixture::connecting(&["10.0.0.1:1", "10.0.0.2:1"]);
    fixture.connected(1);
    fixture.connected(2);
    fixture.wait(STEADY);
    fixture.pool.lost(2, fixture.now);
    assert_eq!(fixture.due(), [Action::Resolve { name: 0 }]);
    // The second has gone, a third and a fourth have come; the first, too, is no more among them, but it works.
    let new = fixture.resolved(&["10.0.0.3:1", "10.0.0.4:1"]);
    let connect = |id, text| Action::Connect { id, name: 0, address: address(text) };
    assert_eq!(new, [connect(3, "10.0.0.3:1"), connect(4, "10.0.0.4:1")]);
    assert_eq!(fixture.picked(), 1);
    fixture.connected(3);
    fixture.pool.lost(1, fixture.now);
    assert_eq!(fixture.due(), [Action::Resolve { name: 0 }]);
    assert!(fixture.resolved(&["10.0.0.3:1", "10.0.0.4:1"]).is_empty(), "the first is forgotten");
    assert_eq!(fixture.picked(), 3);
}

#[test]
fn what_was_known_is_tried_while_names_cannot_be_found() {
    let mut fixture = Fixture::connecting(&["10.0.0.1:1"]);
    fixture.connected(1);
    fixture.wait(STEADY);
    fixture.pool.lost(1, fixture.now);
    assert_eq!(fixture.due(), [Action::Resolve { name: 0 }]);
    let again = fixture.pool.resolved(0, Err("no such name".to_owned()), fixture.now);
    assert_eq!(again, [Action::Connect { id: 1, name: 0, address: address("10.0.0.1:1") }]);
}

#[test]
fn a_name_that_is_not_found_is_asked_for_again() {
    for answer in [Err("no such name".to_owned()), Ok(Vec::new())] {
        let mut fixture = Fixture::new(&["api:1"]);
        assert_eq!(fixture.pick(), Pick::Wait);
        assert_eq!(fixture.due().len(), 1);
        assert!(fixture.pool.resolved(0, answer, fixture.now).is_empty());
        let Pick::Fail(why) = fixture.pick() else { unreachable!() };
        assert!(why.starts_with("cannot reach api:1: "), "{why}");
        fixture.now = fixture.pool.next_due(fixture.now).unwrap();
        assert_eq!(fixture.pick(), Pick::Wait);
        assert_eq!(fixture.due(), [Action::Resolve { name: 0 }]);
    }
}

#[test]
fn a_connection_that_closes_takes_no_more_calls() {
    let mut fixture = Fixture::connecting(&["10.0.0.1:1", "10.0.0.2:1"]);
    fixture.connected(1);
    fixture.connected(2);
    fixture.pool.closing(1);
    for _ in 0..4 {
        assert_eq!(fixture.picked(), 2);
    }
    fixture.pool.closing(2);
    assert_eq!(fixture.pick(), Pick::Wait);
}

#[test]
fn servers_that_nobody_calls_are_left_alone() {
    let mut fixture = Fixture::connecting(&["10.0.0.1:1"]);
    fixture.refused(1);
    fixture.wait(QUIET);
    assert!(fixture.due().is_empty() && fixture.pool.next_due(fixture.now).is_none());
    assert_eq!(fixture.pick(), Pick::Wait);
    assert_eq!(fixture.due(), [Action::Resolve { name: 0 }]);
}
