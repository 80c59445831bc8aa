//! What is asked of EC2 for all upstreams of a listing at once. Pure.
//!
//! Invariant: a plan asks for all machines of each of its upstreams, and perhaps for more; which ones are whose is looked
//! at afterwards.

use std::collections::{BTreeMap, BTreeSet};

use biplane_core::resources::upstream::discovery::{AwsEc2Upstream, TagFilter};

/// How many values EC2 takes for one filter.
const VALUES_MAX: usize = 200;

/// What one upstream needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Want {
    /// Filters as EC2 has them: a machine must match one value of each.
    filters: BTreeMap<String, BTreeSet<String>>,
    status: bool,
    groups: BTreeSet<String>,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Filters as EC2 has them.
    pub(crate) filters: BTreeMap<String, BTreeSet<String>>,
    /// Whether the machines' checks are asked for.
    pub(crate) status: bool,
    /// The Auto Scaling groups that are asked for.
    pub(crate) groups: BTreeSet<String>,
}

impl Want {
    pub(crate) fn of(upstream: &AwsEc2Upstream) -> Self {
        let mut filters: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for filter in &upstream.filters {
            let (name, value) = match filter {
                TagFilter { kv_pair: Some(pair), .. } => (format!("tag:{}", pair.key), &pair.value),
                TagFilter { key: Some(key), .. } => ("tag-key".to_owned(), key),
                TagFilter { .. } => continue,
            };
            filters.entry(name).or_default().insert(literally(value));
        }
        Self {
            filters,
            status: upstream.instance_status.unwrap_or(true),
            groups: upstream.auto_scaling_groups.iter().cloned().collect(),
        }
    }
}

impl Plan {
    /// For all of these: filters that all of them have, with the values of all.
    pub(crate) fn of<'a>(wants: impl IntoIterator<Item = &'a Want>) -> Self {
        let mut wants = wants.into_iter();
        let Some(first) = wants.next() else { return Self::default() };
        let mut plan =
            Self { filters: first.filters.clone(), status: first.status, groups: first.groups.clone() };
        for want in wants {
            plan.filters.retain(|name, values| match want.filters.get(name) {
                Some(more) => {
                    values.extend(more.iter().cloned());
                    true
                }
                None => false,
            });
            plan.status |= want.status;
            plan.groups.extend(want.groups.iter().cloned());
        }
        plan.filters.retain(|_, values| values.len() <= VALUES_MAX);
        plan
    }

    /// Whether everything that is wanted is asked for.
    pub(crate) fn covers(&self, want: &Want) -> bool {
        let lets_through = |(name, values): (&String, &BTreeSet<String>)| {
            want.filters.get(name).is_some_and(|wanted| wanted.is_subset(values))
        };
        self.filters.iter().all(lets_through)
            && (self.status || !want.status)
            && want.groups.is_subset(&self.groups)
    }
}

/// A value without the meaning that some characters have in filters.
fn literally(value: &str) -> String {
    let mut literal = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '*' | '?' | '\\') {
            literal.push('\\');
        }
        literal.push(c);
    }
    literal
}

#[cfg(test)]
mod tests {
    use biplane_core::resources::upstream::discovery::TagPair;

    use super::*;

    fn want(pairs: &[(&str, &str)], keys: &[&str]) -> Want {
        let pairs = pairs.iter().map(|(key, value)| TagFilter {
            kv_pair: Some(TagPair { key: (*key).to_owned(), value: (*value).to_owned() }),
            key: None,
        });
        let keys = keys.iter().map(|key| TagFilter { key: Some((*key).to_owned()), kv_pair: None });
        Want::of(&AwsEc2Upstream { filters: pairs.chain(keys).collect(), ..AwsEc2Upstream::default() })
    }

    fn filters(plan: &Plan) -> Vec<String> {
        let joined = |values: &BTreeSet<String>| values.iter().cloned().collect::<Vec<_>>().join(",");
        plan.filters.iter().map(|(name, values)| format!("{name}={}", joined(values))).collect()
    }

    #[test]
    fn what_all_share_is_asked_for_with_the_values_of_all() {
        let wants = [
            want(&[("app", "web"), ("stage", "prod")], &["team"]),
            want(&[("app", "api"), ("stage", "prod")], &["cost"]),
            want(&[("stage", "prod")], &["cost"]),
        ];
        let two = Plan::of(&wants[..2]);
        assert_eq!(filters(&two), ["tag-key=cost,team", "tag:app=api,web", "tag:stage=prod"]);
        assert!(wants[..2].iter().all(|want| two.covers(want)) && !two.covers(&wants[2]));
        let three = Plan::of(&wants);
        assert_eq!(filters(&three), ["tag-key=cost,team", "tag:stage=prod"]);
        assert!(wants.iter().all(|want| three.covers(want)));
    }

    #[test]
    fn an_upstream_that_wants_every_machine_is_covered_by_no_filter() {
        let wants = [want(&[("app", "web")], &[]), want(&[], &[])];
        let plan = Plan::of(&wants);
        assert!(plan.filters.is_empty() && wants.iter().all(|want| plan.covers(want)));
        assert!(!Plan::of(&wants[..1]).covers(&wants[1]));
    }

    #[test]
    fn more_values_than_a_filter_can_have_are_no_filter() {
        let wants: Vec<_> =
            (0..=200).map(|app| want(&[("app", &app.to_string()), ("a", "b")], &[])).collect();
        assert_eq!(filters(&Plan::of(&wants)), ["tag:a=b"]);
    }

    #[test]
    fn values_mean_themselves() {
        assert_eq!(filters(&Plan::of(&[want(&[("a", "b*?\\")], &[])])), ["tag:a=b\\*\\?\\\\"]);
    }

    #[test]
    fn checks_and_groups_are_asked_for_if_anybody_wants_them() {
        let upstream = |status, groups: &[&str]| {
            let auto_scaling_groups = groups.iter().map(|group| (*group).to_owned()).collect();
            Want::of(&AwsEc2Upstream {
                instance_status: Some(status),
                auto_scaling_groups,
                ..AwsEc2Upstream::default()
            })
        };
        let (bare, checked, grouped) = (upstream(false, &[]), upstream(true, &[]), upstream(false, &["web"]));
        let plan = Plan::of([&bare]);
        assert!(!plan.covers(&checked) && !plan.covers(&grouped));
        let all = Plan::of([&bare, &checked, &grouped]);
        assert!([bare, checked, grouped].iter().all(|want| all.covers(want)));
    }
}
