//! Calls of which several spans tell: whatever the order and the requests in which they come, each is charged once.

use std::borrow::Borrow;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::tests::{at, start_at, stop, what_a_kill_leaves};
use super::*;
use crate::clock::Clock;
use crate::domain::{
    BudgetZone, CostEvent, CostQuestion, Dimension, EventKey, EventQuestion, Kind, Name, Origin, Quantity, Selection,
    SpanId, SpanPlace, TraceId, UsageCount, Usd,
};
use crate::ledger::{Reader, verify};

const NOW: &str = "2026-11-22T10:00:00Z";

fn span(number: u8) -> SpanId {
    SpanId([1, 0, 0, 0, 0, 0, 0, number])
}

/// A call of so many dollars at a span, below others; the last of these is the root where `rooted`.
fn call(number: u8, above: &[u8], rooted: bool, dollars: i64) -> CostEvent {
    let place = SpanPlace {
        trace: TraceId([7; 16]),
        span: span(number),
        ancestors: above.iter().map(|above| span(*above)).collect(),
        is_rooted: rooted,
    };
    let count = |kind: &str, count: i64| UsageCount { kind: Name::new(kind).unwrap(), count: Quantity::of(count as u64) };
    CostEvent {
        key: EventKey { source: "span".into(), id: format!("{number}").into() },
        amount: Usd::from_dollars(dollars),
        usage: vec![count("input_tokens", dollars * 100), count("output_tokens", dollars)],
        model: Some("gpt-4o".into()),
        time: at(NOW),
        duration_seconds: Some(60.0),
        origin: Some(Box::new(Origin { span: Some(place), ..Origin::of("otlp:x") })),
        ..CostEvent::example()
    }
}

fn with_id(id: &str, mut call: CostEvent) -> CostEvent {
    call.key = EventKey { source: "call:openai".into(), id: id.into() };
    call
}

fn wrapper(mut call: CostEvent) -> CostEvent {
    call.origin.as_mut().unwrap().is_wrapper = true;
    call.model = None;
    call
}

fn over(road: &str, mut call: CostEvent) -> CostEvent {
    call.origin = Some(Box::new(Origin::of(road)));
    call
}

fn for_lead(lead: &str, mut call: CostEvent) -> CostEvent {
    call.lead_id = Some(lead.into());
    call
}

/// What is answered to each request, and what all costs at the end by lead. Between two requests the agent is killed, or not.
async fn told(requests: Vec<Vec<CostEvent>>, is_killed: bool) -> (Vec<Recorded>, Vec<(String, i64)>) {
    let folder = tempfile::tempdir().unwrap();
    let mut path = folder.path().join("ledger.db");
    let clock = Clock::manual(at(NOW));
    let mut answers = Vec::new();
    let mut started = start_at(&path, &clock);
    for (index, request) in requests.into_iter().enumerate() {
        answers.push(started.writer.record(request, Taking::Calls, Box::new(|_| ())).await.unwrap());
        if is_killed {
            let next = what_a_kill_leaves(&path, &folder.path().join(format!("{index}.db")));
            stop(started).await;
            assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
            path = next;
            started = start_at(&path, &clock);
        }
    }
    stop(started).await;
    assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
    let zone = BudgetZone::named("Europe/Berlin").unwrap();
    let (first, last) = (jiff::civil::date(2026, 10, 1), jiff::civil::date(2026, 11, 30));
    let question = CostQuestion { by: vec![Dimension::Lead], first, last, filters: vec![], by_day: false };
    let groups = Reader::new(path, zone).breakdown(&question, &|| false).unwrap();
    let dollars = |usd: Usd| i64::try_from(usd.pico() / Usd::from_dollars(1).pico()).unwrap();
    let by_lead = groups.into_values().flatten().map(|(lead, usd)| (Borrow::<str>::borrow(&lead).to_owned(), dollars(usd)));
    (answers, by_lead.filter(|(_, usd)| *usd != 0).collect())
}

/// What requests cost in all, whether or not the agent is killed between them.
async fn total(requests: Vec<Vec<CostEvent>>) -> i64 {
    let (_, killed) = told(requests.clone(), true).await;
    assert_eq!(told(requests.clone(), false).await.1, killed, "{requests:?}");
    killed.into_iter().map(|(_, usd)| usd).sum()
}

/// The calls in every order, each in a request of its own.
fn orders(calls: &[CostEvent]) -> Vec<Vec<Vec<CostEvent>>> {
    match calls {
        [] => vec![vec![]],
        _ => (0..calls.len())
            .flat_map(|at| {
                let mut rest = calls.to_vec();
                let first = rest.remove(at);
                orders(&rest).into_iter().map(move |mut order| {
                    order.insert(0, vec![first.clone()]);
                    order
                })
            })
            .collect(),
    }
}

#[tokio::test]
async fn an_agent_its_loop_and_its_call_are_one_charge_in_any_order() {
    let calls = [
        wrapper(call(1, &[], true, 5)),
        wrapper(call(2, &[1], false, 5)),
        with_id("r1", call(3, &[2], false, 3)),
        with_id("r2", call(4, &[2], false, 2)),
    ];
    for order in orders(&calls) {
        assert_eq!(total(order.clone()).await, 5, "{order:?}");
    }
    for is_killed in [true, false] {
        let (answers, _) = told(vec![calls.to_vec(), calls.to_vec()], is_killed).await;
        assert_eq!((answers[0].accepted, answers[0].aggregates), (2, 2));
        assert_eq!((answers[1].accepted, answers[1].duplicates, answers[1].aggregates), (0, 2, 2));
    }
}

#[tokio::test]
async fn of_two_spans_of_one_call_the_one_with_the_response_id_is_charged() {
    let (outer, inner) = (call(1, &[9], true, 3), with_id("r1", call(2, &[1], false, 2)));
    for order in orders(&[outer.clone(), inner]) {
        assert_eq!(total(order).await, 2);
    }
    let (outer, mut inner) = (with_id("r1", outer), call(2, &[1], false, 3));
    for order in orders(&[outer.clone(), inner.clone()]) {
        assert_eq!(total(order).await, 3);
    }
    // Something else that is asked while the call goes on.
    inner.model = Some("gpt-4o-mini".into());
    for order in orders(&[outer, inner]) {
        assert_eq!(total(order).await, 6);
    }
}

/// Guards against: two charges where spans that are no calls stand between two spans of one call, and come after the lower one.
#[tokio::test]
async fn spans_of_one_call_find_each_other_over_spans_that_are_none() {
    let deeper = call(5, &[4], false, 3);
    for mut outer in [call(1, &[9], true, 3), with_id("r1", call(1, &[9], true, 3))] {
        let between = [(6, 1), (2, 1), (3, 2), (4, 3)].map(|(below, above)| (span(below), span(above)));
        outer.origin.as_mut().unwrap().links_below = between.into();
        assert_eq!(total(vec![vec![deeper.clone()], vec![outer.clone()]]).await, 3);
        assert_eq!(total(vec![vec![deeper.clone()], vec![outer.clone()], vec![outer, deeper.clone()]]).await, 3);
    }
}

#[tokio::test]
async fn of_what_comes_in_one_request_nothing_is_charged_that_must_be_taken_back() {
    let (outer, inner) = (call(1, &[9], true, 2), with_id("r1", call(2, &[1], false, 2)));
    let (agent, deeper) = (wrapper(call(9, &[], true, 2)), call(3, &[2], false, 2));
    let calls = [agent, outer, inner, deeper];
    for order in orders(&calls) {
        let request = order.into_iter().flatten().collect();
        let (answers, _) = told(vec![request], false).await;
        assert_eq!((answers[0].accepted, answers[0].aggregates, answers[0].revised), (1, 3, 0));
    }
}

/// Guards against: sums of a day that is not in memory, written as if what is taken back were all there is.
#[tokio::test]
async fn what_is_taken_back_counts_in_its_own_day_also_when_that_is_not_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let clock = Clock::manual(at("2026-10-21T10:00:00Z"));
    // 00:10 and 23:55 in Berlin.
    let agent =
        CostEvent { time: at("2026-10-20T22:10:00Z"), duration_seconds: Some(1200.0), ..wrapper(call(1, &[], true, 5)) };
    let beside = over("litellm", CostEvent { time: agent.time, ..with_id("other", call(3, &[], true, 7)) });
    let inside = CostEvent { time: at("2026-10-20T21:55:00Z"), ..with_id("r1", call(2, &[1], false, 4)) };
    let started = start_at(&path, &clock);
    started.writer.record(vec![agent, beside], Taking::Calls, Box::new(|_| ())).await.unwrap();
    stop(started).await;
    clock.set(at("2026-12-20T10:00:00Z"));
    let started = start_at(&path, &clock);
    started.writer.record(vec![inside], Taking::Calls, Box::new(|_| ())).await.unwrap();
    stop(started).await;
    assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
    let reader = Reader::new(path, BudgetZone::named("Europe/Berlin").unwrap());
    let days = reader.days(jiff::civil::Date::MIN, jiff::civil::Date::MAX).unwrap();
    let days: Vec<(String, Usd)> =
        days.into_iter().map(|(day, rows)| (day.to_string(), rows.iter().map(|row| row.sums.net()).sum())).collect();
    assert_eq!(days, [("2026-10-20".to_owned(), Usd::from_dollars(4)), ("2026-10-21".to_owned(), Usd::from_dollars(7))]);
}

/// Guards against: a call that is charged twice because one of its roads does not say who the provider is.
#[tokio::test]
async fn a_call_is_found_under_its_own_key_and_else_under_those_that_it_may_have() {
    let under = |source: &str, dollars| {
        let call = over("litellm", call(1, &[], true, dollars));
        CostEvent { key: EventKey { source: source.into(), id: "r1".into() }, ..call }
    };
    let open = |dollars| {
        let mut open = under("call:unknown", dollars);
        open.origin.as_mut().unwrap().also_under = vec!["call:azure".into(), "call:openai".into()];
        open
    };
    let counts = |answer: &Recorded| (answer.accepted, answer.duplicates, answer.disagreements.1);
    for is_killed in [true, false] {
        let (answers, _) = told(vec![vec![under("call:openai", 3), open(3)], vec![open(3)]], is_killed).await;
        assert_eq!(answers.iter().map(counts).collect::<Vec<_>>(), [(1, 1, 0), (0, 1, 0)]);
        // Its own key is known, so another one is another call.
        let requests = vec![vec![open(3)], vec![under("call:openai", 5)], vec![open(3)]];
        let (answers, _) = told(requests, is_killed).await;
        assert_eq!(answers.iter().map(counts).collect::<Vec<_>>(), [(1, 0, 0), (1, 0, 0), (0, 1, 0)]);
    }
}

#[tokio::test]
async fn an_agent_is_left_out_although_another_road_told_its_call_first() {
    let sdk = with_id("r1", call(3, &[1], false, 3));
    for order in orders(&[over("litellm", sdk.clone()), wrapper(call(1, &[], true, 3)), sdk.clone()]) {
        assert_eq!(total(order).await, 3);
    }
    // The same call in another trace of its own.
    let mut elsewhere = sdk.clone();
    elsewhere.origin.as_mut().unwrap().span.as_mut().unwrap().trace = TraceId([8; 16]);
    for order in orders(&[elsewhere, wrapper(call(1, &[], true, 3)), sdk]) {
        assert_eq!(total(order).await, 3);
    }
}

#[tokio::test]
async fn spans_that_are_not_told_are_bridged_for_agents_alone_and_only_in_time() {
    let (agent, inside) = (wrapper(call(1, &[], true, 5)), with_id("r1", call(3, &[2], false, 3)));
    for order in orders(&[agent.clone(), inside.clone()]) {
        assert_eq!(total(order).await, 3);
    }
    let mut before = inside.clone();
    before.time = at(NOW) - SignedDuration::from_mins(5);
    for order in orders(&[agent.clone(), before]) {
        assert_eq!(total(order).await, 8);
    }
    let (known_elsewhere, beside) = (with_id("r1", call(3, &[2, 1], true, 3)), wrapper(call(4, &[1], true, 5)));
    for order in orders(&[known_elsewhere, beside]) {
        assert_eq!(total(order).await, 8);
    }
    for order in orders(&[call(1, &[], true, 3), inside]) {
        assert_eq!(total(order).await, 6);
    }
}

#[tokio::test]
async fn whom_a_call_is_for_may_be_said_above_it() {
    let calls = [for_lead("lead-1", call(1, &[9], false, 3)), with_id("r1", call(2, &[1], false, 3))];
    for order in orders(&calls) {
        assert_eq!(told(order, true).await.1, [("lead-1".to_owned(), 3)]);
    }
    let calls =
        [for_lead("lead-1", wrapper(call(1, &[], true, 3))), for_lead("lead-2", with_id("r1", call(2, &[1], false, 3)))];
    for order in orders(&calls) {
        assert_eq!(told(order, true).await.1, [("lead-2".to_owned(), 3)]);
    }
    // What was left out is remembered as long as the agent runs.
    let agent = for_lead("lead-1", wrapper(call(1, &[], true, 6)));
    let [first, second] = [2, 3].map(|number| with_id(&format!("r{number}"), call(number, &[1], false, 3)));
    let (answers, by_lead) = told(vec![vec![first, agent.clone()], vec![agent], vec![second]], false).await;
    assert_eq!(answers.iter().map(|answer| answer.aggregates).collect::<Vec<_>>(), [1, 1, 0]);
    assert_eq!(by_lead, [("lead-1".to_owned(), 6)]);
}

#[tokio::test]
async fn a_worker_may_tell_what_another_road_has_told() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(at(NOW));
    let started = start_at(&folder.path().join("ledger.db"), &clock);
    let told = with_id("r1", over("litellm", call(1, &[], true, 3)));
    started.writer.record(vec![told.clone()], Taking::Calls, Box::new(|_| ())).await.unwrap();
    let by_hand = CostEvent { origin: None, lead_id: Some("l".into()), time: at("2026-11-22T09:59:00Z"), ..told };
    for (revised, duplicates) in [(1, 0), (0, 1)] {
        let answer = started.writer.record(vec![by_hand.clone()], Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
        assert_eq!((answer.accepted, answer.revised, answer.duplicates), (0, revised, duplicates));
    }
    stop(started).await;
}

#[tokio::test]
async fn what_two_roads_tell_under_two_keys_is_charged_twice_and_suspected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let clock = Clock::manual(at(NOW));
    let started = start_at(&path, &clock);
    let made_up = with_id("chatcmpl-1", over("litellm", call(1, &[], true, 3)));
    let by_hand = CostEvent { key: EventKey { source: "".into(), id: "mine".into() }, origin: None, ..made_up.clone() };
    let credit = CostEvent {
        key: EventKey { source: "".into(), id: "credit".into() },
        kind: Kind::Credit,
        amount: -made_up.amount,
        ..by_hand.clone()
    };
    let imported = CostEvent {
        key: EventKey { source: "".into(), id: "imported".into() },
        first_recorded_at: Some(at(NOW)),
        ..by_hand.clone()
    };
    let agent = wrapper(call(2, &[], true, 3));
    for (event, taking, suspected) in [
        (made_up.clone(), Taking::Calls, 0),
        (call(1, &[], true, 3), Taking::Calls, 1),
        (call(1, &[], true, 3), Taking::Calls, 0),
        (by_hand.clone(), Taking::AllOrNothing, 1),
        (CostEvent { revision: 1, amount: Usd::from_dollars(4), ..by_hand }, Taking::AllOrNothing, 0),
        (credit, Taking::AllOrNothing, 0),
        (imported, Taking::AllOrNothing, 0),
        (with_id("chatcmpl-2", CostEvent { time: at("2026-11-22T09:59:57Z"), ..made_up }), Taking::Calls, 0),
        (agent, Taking::Calls, 0),
    ] {
        let answer = started.writer.record(vec![event], taking, Box::new(|_| ())).await.unwrap();
        assert_eq!(answer.suspected, suspected);
    }
    stop(started).await;
    assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
    let reader = Reader::new(path, BudgetZone::UTC);
    for (suspected, ids) in
        [(Some(true), vec!["mine", "1"]), (Some(false), vec!["2", "imported", "credit", "chatcmpl-1", "chatcmpl-2"])]
    {
        let question = EventQuestion {
            selection: Selection::default(),
            keys: vec![],
            suspected,
            newest_first: true,
            after: None,
            limit: 10,
        };
        let mut listing = reader.begin_listing(question).unwrap();
        assert!(reader.continue_listing(&mut listing, 10, &|| false).unwrap());
        let (events, _) = reader.listed(&listing).unwrap();
        assert_eq!(events.iter().map(|listed| &*listed.event.key.id).collect::<Vec<_>>(), ids);
    }
}

/// What lies in a span of a trace.
#[derive(Clone, Debug)]
enum Node {
    /// A call, and whether a span without response id lies around the one that has it.
    Call { dollars: i64, doubled: bool },
    /// A span that says nothing of costs.
    Step(Vec<Node>),
    /// A span that adds up what is below.
    Agent(Vec<Node>),
}

fn node() -> impl Strategy<Value = Node> {
    let call = (1..9_i64, any::<bool>()).prop_map(|(dollars, doubled)| Node::Call { dollars, doubled });
    call.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Node::Step),
            prop::collection::vec(inner, 1..3).prop_map(Node::Agent),
        ]
    })
}

/// A span as its process made it.
#[derive(Clone, Debug)]
struct Made {
    number: u8,
    above: Option<u8>,
    call: Option<CostEvent>,
}

/// The spans of a trace, in which one thing follows the other.
#[derive(Debug, Default)]
struct Spans {
    made: Vec<Made>,
    seconds: i64,
}

impl Spans {
    /// Makes a node's spans below another one. Returns what it costs.
    fn make(&mut self, node: &Node, above: Option<u8>) -> i64 {
        let (place, number) = (self.made.len(), self.made.len() as u8 + 1);
        self.made.push(Made { number, above, call: None });
        self.seconds += 1;
        let begin = self.seconds;
        let (dollars, shape): (i64, fn(CostEvent) -> CostEvent) = match node {
            Node::Call { dollars, doubled: false } => {
                self.seconds += 600;
                (*dollars, |call| CostEvent { key: EventKey { source: "call:openai".into(), ..call.key.clone() }, ..call })
            }
            Node::Call { dollars, doubled: true } => {
                (self.make(&Node::Call { dollars: *dollars, doubled: false }, Some(number)), |call| call)
            }
            Node::Step(nodes) | Node::Agent(nodes) => {
                (nodes.iter().map(|node| self.make(node, Some(number))).sum(), wrapper)
            }
        };
        self.seconds += 1;
        if !matches!(node, Node::Step(_)) {
            // Over the end of a month, three weeks ago.
            let time: Timestamp = at("2026-10-31T22:00:00Z") + SignedDuration::from_secs(self.seconds);
            let duration_seconds = Some((self.seconds - begin) as f64);
            self.made[place].call = Some(shape(CostEvent { time, duration_seconds, ..call(number, &[], false, dollars) }));
        }
        dollars
    }
}

/// The calls of a request, each with what the spans of the same request say of those above it.
fn request(spans: &[Made]) -> Vec<CostEvent> {
    let mut calls = Vec::new();
    for made in spans {
        let Some(mut call) = made.call.clone() else { continue };
        let place = call.origin.as_mut().unwrap().span.as_mut().unwrap();
        let mut next = Some(made);
        while let Some(made) = next {
            place.is_rooted = made.above.is_none();
            place.ancestors.extend(made.above.map(span));
            next = spans.iter().find(|other| Some(other.number) == made.above);
        }
        calls.push(call);
    }
    calls
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_a_trace_costs_does_not_depend_on_how_its_spans_come(
        nodes in prop::collection::vec(node(), 1..4),
        order in any::<prop::sample::Selector>(),
        cuts in prop::collection::vec(1..6_usize, 1..6),
        again in any::<bool>(),
    ) {
        let mut spans = Spans::default();
        let right = spans.make(&Node::Step(nodes), None);
        let mut left = spans.made.clone();
        let mut requests = Vec::new();
        for cut in cuts.iter().cycle() {
            if left.is_empty() {
                break;
            }
            let mut spans = Vec::new();
            for _ in 0..*cut {
                if left.is_empty() {
                    break;
                }
                let at = order.select(0..left.len());
                spans.push(left.remove(at));
            }
            requests.push(request(&spans));
        }
        if again {
            requests.extend(requests.clone());
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        prop_assert_eq!(runtime.block_on(total(requests.clone())), right, "{:?}", requests);
    }
}
