//! From a service's tags to what it claims: routes, each with how it is treated and which instances serve it.
//!
//! fabio reads each instance alone. Here the first instance that has a route says how it is treated, and the newest
//! deployment comes first; instances that lack the tag do not get the route's requests.

use std::collections::{BTreeMap, BTreeSet};

use super::options::{self, Host, Reach, Treatment};
use super::problem::Problem;
use super::shares::Share;
use super::tag::{self, Tag};
use crate::finding::Finding;
use crate::reader::{Deployment, Lineup};
use crate::router::Pick;
use crate::service::{Instance, ServiceId};

/// A route's host and path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RouteKey {
    pub host: String,
    pub path: String,
}

/// What the instances of one deployment of a service claim together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claim {
    /// The route.
    pub key: RouteKey,
    /// How it is treated.
    pub treatment: Treatment,
    /// Who serves it.
    pub groups: Vec<Group>,
    /// Where the instances are, as far as the Host header has to say so.
    pub addresses: BTreeSet<String>,
    /// The instance that says so.
    pub instance: String,
    /// Its tag.
    pub tag: String,
}

/// Instances that are reached in one way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// How.
    pub reach: Reach,
    /// Which.
    pub pick: Pick,
    /// Their part of the requests.
    pub share: Share,
}

/// How tags are read.
#[derive(Clone, Debug)]
pub(super) struct Language {
    /// What tags start with.
    pub prefix: String,
    /// What they may name with `$`, besides `$DC`.
    pub variables: BTreeMap<String, String>,
}

/// One tag of one instance.
struct Word<'a> {
    instance: &'a Instance,
    text: &'a str,
    weight: f64,
    treatment: Treatment,
    reach: Reach,
}

/// The claims of all deployments of a service, the canary's last, and what is wrong with its tags.
pub(super) fn of(lineup: &Lineup, language: &Language) -> (Vec<Claim>, Vec<Finding>) {
    let mut language = language.clone();
    language.variables.entry("DC".to_owned()).or_insert_with(|| lineup.id.datacenter.clone());
    let mut reading = Reader { id: &lineup.id, language: &language, findings: Vec::new() };
    let mut claims = reading.deployment(&lineup.stable);
    if let Some(canary) = &lineup.canary {
        claims.extend(reading.deployment(canary));
    }
    (claims, reading.findings)
}

struct Reader<'a> {
    id: &'a ServiceId,
    language: &'a Language,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn deployment(&mut self, deployment: &Deployment) -> Vec<Claim> {
        let mut routes: BTreeMap<RouteKey, Vec<Word<'_>>> = BTreeMap::new();
        // What is wrong with a tag is said once, not for each instance.
        let mut said = BTreeSet::new();
        for instance in &deployment.instances {
            for text in &instance.tags {
                let Some(read) = tag::parse(text, &self.language.prefix, &self.language.variables) else {
                    continue;
                };
                let quiet = !said.insert(text);
                let Some((key, word)) = self.word(instance, text, read, quiet) else { continue };
                self.add(routes.entry(key).or_default(), word);
            }
        }
        routes.into_iter().map(|(key, words)| self.claim(key, &words, deployment)).collect()
    }

    /// Of two tags of one instance for one route fabio drops the second, whatever its options are.
    fn add<'a>(&mut self, words: &mut Vec<Word<'a>>, word: Word<'a>) {
        match words.last().filter(|last| last.instance.id == word.instance.id) {
            None => words.push(word),
            Some(first) if first.text != word.text => self.findings.push(second_tag(self.id, &word, first)),
            Some(_) => {}
        }
    }

    fn word<'a>(
        &mut self,
        instance: &'a Instance,
        text: &'a str,
        read: Result<Tag, Problem>,
        quiet: bool,
    ) -> Option<(RouteKey, Word<'a>)> {
        let (read, problems) = match read {
            Ok(tag) => {
                let (meaning, problems) = options::read(&tag);
                (meaning.map(|meaning| (tag, meaning)), problems)
            }
            Err(problem) => (None, vec![problem]),
        };
        if !quiet {
            self.findings
                .extend(problems.into_iter().map(|problem| finding(self.id, instance, text, problem)));
        }
        let (tag, (treatment, reach)) = read?;
        let word = Word { instance, text, weight: tag.weight.max(0.0), treatment, reach };
        Some((RouteKey { host: tag.host, path: tag.path }, word))
    }

    fn claim(&mut self, key: RouteKey, words: &[Word<'_>], deployment: &Deployment) -> Claim {
        let first = &words[0];
        let agreed: Vec<&Word<'_>> = words.iter().filter(|word| word.treatment == first.treatment).collect();
        if let Some(other) = words.iter().find(|word| word.treatment != first.treatment) {
            self.findings.push(disagreement(self.id, other, first));
        }
        // Treated in one way, and reached in one way by all: the deployment as a whole, which no change of a tag's text disturbs.
        let alike = words.iter().all(|word| is_alike(word, first));
        let whole = alike && words.len() == deployment.instances.len();
        let groups =
            if whole { vec![group(words, deployment.pick.clone())] } else { by_tag(&agreed, deployment) };
        let served = if whole { words.iter().collect() } else { agreed };
        let addresses = match first.treatment.host {
            Host::Instance => served.iter().map(|word| address(word.instance)).collect(),
            _ => BTreeSet::new(),
        };
        Claim {
            key,
            treatment: first.treatment.clone(),
            groups,
            addresses,
            instance: first.instance.id.clone(),
            tag: first.text.to_owned(),
        }
    }
}

/// Whether two instances are reached in one way, and count the same.
fn is_alike(a: &Word<'_>, b: &Word<'_>) -> bool {
    a.reach == b.reach && a.weight.total_cmp(&b.weight).is_eq()
}

/// One group for each text of the tag: instances are picked by it.
fn by_tag(words: &[&Word<'_>], deployment: &Deployment) -> Vec<Group> {
    let mut texts: Vec<&str> = Vec::new();
    for word in words {
        if !texts.contains(&word.text) {
            texts.push(word.text);
        }
    }
    let of_text = |text: &str| {
        let mut pick = deployment.pick.clone();
        pick.with_tags.push(text.to_owned());
        let words: Vec<_> = words.iter().filter(|word| word.text == text).copied().collect();
        group(words, pick)
    };
    texts.into_iter().map(of_text).collect()
}

/// Words that are alike as one group.
fn group<'a>(words: impl IntoIterator<Item = &'a Word<'a>>, pick: Pick) -> Group {
    let mut words = words.into_iter().peekable();
    let first = words.peek().expect("a group has an instance");
    let (reach, fixed) = (first.reach.clone(), first.weight);
    let healthy = words.filter(|word| word.instance.healthy).count();
    Group { reach, pick, share: Share { fixed, instances: u32::try_from(healthy).unwrap_or(u32::MAX) } }
}

fn address(instance: &Instance) -> String {
    if instance.address.contains(':') {
        format!("[{}]:{}", instance.address, instance.port)
    } else {
        format!("{}:{}", instance.address, instance.port)
    }
}

fn finding(id: &ServiceId, instance: &Instance, tag: &str, problem: Problem) -> Finding {
    let mut finding = match problem.severity {
        crate::finding::Severity::Error => Finding::error(id, problem.message),
        crate::finding::Severity::Warning => Finding::warning(id, problem.message),
    };
    finding.hint = problem.hint;
    finding.instance(&instance.id).tag(tag)
}

fn second_tag(id: &ServiceId, other: &Word<'_>, first: &Word<'_>) -> Finding {
    Finding::warning(id, format!("another tag of the instance has this route, and counts: {}", first.text))
        .instance(&other.instance.id)
        .tag(other.text)
        .hint("take one of them out")
}

fn disagreement(id: &ServiceId, other: &Word<'_>, first: &Word<'_>) -> Finding {
    let message =
        format!("instance {} says otherwise about this route, and counts: {}", first.instance.id, first.text);
    Finding::warning(id, message)
        .instance(&other.instance.id)
        .tag(other.text)
        .hint("wait until its deployment is gone, or write the same tag for all instances")
}
