//! One look at everything that a plan asks for: all pages, or a failure.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use biplane_aws::Service;

use crate::failure::Failure;
use crate::keep::Found;
use crate::machine::{Machine, Member, State, Verdict};
use crate::plan::Plan;
use crate::session::Session;
use crate::xml::Element;

/// More pages than that are a circle.
const PAGES_MAX: usize = 1000;

/// How many machines' checks are asked for by their names; of more, those of all machines are.
const BY_NAME_MAX: usize = 100;

/// How many Auto Scaling groups one call can name.
const GROUPS_MAX: usize = 50;

/// Where Auto Scaling has its answer.
const GROUPS: &str = "DescribeAutoScalingGroupsResult";

/// Parameters of a call.
type Parameters = Vec<(String, String)>;

/// A look that is under way.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    session: &'a Session,
    /// Calls so far.
    calls: AtomicUsize,
}

impl<'a> Look<'a> {
    pub(crate) fn new(session: &'a Session) -> Self {
        Self { session, calls: AtomicUsize::new(0) }
    }

    /// How many calls it took.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Looks at it all.
    pub(crate) async fn run(
        &self,
        plan: &Plan,
        own_filters: &BTreeMap<String, Vec<String>>,
    ) -> Result<Found, Failure> {
        let machines = self.machines(plan, own_filters).await?;
        let verdicts = if plan.status { self.verdicts(&machines).await? } else { BTreeMap::new() };
        let groups: Vec<&String> = plan.groups.iter().collect();
        let mut members = BTreeMap::new();
        for names in groups.chunks(GROUPS_MAX) {
            members.extend(self.members(names).await?);
        }
        Ok(Found { machines, verdicts, members })
    }

    async fn machines(
        &self,
        plan: &Plan,
        own_filters: &BTreeMap<String, Vec<String>>,
    ) -> Result<BTreeMap<String, Machine>, Failure> {
        let action = "DescribeInstances";
        let parameters = [self.page(), filters(plan, own_filters)].concat();
        let mut found = BTreeMap::new();
        for page in self.pages(Service::Ec2, action, parameters).await? {
            let reservations = known(&page, action, "reservationSet")?;
            for item in reservations.children().flat_map(|reservation| reservation.list("instancesSet")) {
                let machine = Machine::read(item);
                let (id, machine) = machine.ok_or_else(|| nonsense(Service::Ec2, action, "a machine"))?;
                found.insert(id, machine);
            }
        }
        Ok(found)
    }

    /// Checks of machines that run.
    async fn verdicts(
        &self,
        machines: &BTreeMap<String, Machine>,
    ) -> Result<BTreeMap<String, Verdict>, Failure> {
        let running = machines.iter().filter(|(_, machine)| machine.state == State::Running);
        let running: Vec<&String> = running.map(|(id, _)| id).collect();
        if running.is_empty() {
            return Ok(BTreeMap::new());
        }
        if running.len() <= BY_NAME_MAX {
            let names = (1..).zip(&running).map(|(at, id)| (format!("InstanceId.{at}"), (*id).clone()));
            match self.verdicts_of(names.collect()).await {
                // One of them is gone since.
                Err(failure) if failure.code.starts_with("InvalidInstanceID") => {}
                outcome => return outcome,
            }
        }
        let mut all = self.verdicts_of(self.page()).await?;
        all.retain(|id, _| machines.contains_key(id));
        Ok(all)
    }

    async fn verdicts_of(&self, parameters: Parameters) -> Result<BTreeMap<String, Verdict>, Failure> {
        let action = "DescribeInstanceStatus";
        let mut found = BTreeMap::new();
        for page in self.pages(Service::Ec2, action, parameters).await? {
            for item in known(&page, action, "instanceStatusSet")?.children() {
                let verdict = Verdict::read(item);
                let (id, verdict) = verdict.ok_or_else(|| nonsense(Service::Ec2, action, "a status"))?;
                found.insert(id, verdict);
            }
        }
        Ok(found)
    }

    /// The members of these groups. A group that does not exist has none.
    async fn members(&self, names: &[&String]) -> Result<BTreeMap<String, Member>, Failure> {
        let action = "DescribeAutoScalingGroups";
        let wrong = || nonsense(Service::AutoScaling, action, "a group");
        let mut parameters = vec![("MaxRecords".to_owned(), "100".to_owned())];
        let names = (1..).zip(names);
        parameters
            .extend(names.map(|(at, name)| (format!("AutoScalingGroupNames.member.{at}"), (*name).clone())));
        let mut found = BTreeMap::new();
        for page in self.pages(Service::AutoScaling, action, parameters).await? {
            let groups = page.child(GROUPS).and_then(|result| result.child("AutoScalingGroups"));
            for group in groups.ok_or_else(wrong)?.children() {
                found.extend(Member::read_all(group).ok_or_else(wrong)?);
            }
        }
        Ok(found)
    }

    /// All pages of an answer.
    async fn pages(
        &self,
        service: Service,
        action: &str,
        parameters: Parameters,
    ) -> Result<Vec<Element>, Failure> {
        let (mut pages, mut next): (Vec<Element>, Option<String>) = (Vec::new(), None);
        while pages.len() < PAGES_MAX {
            let mut parameters = parameters.clone();
            parameters.extend(next.clone().map(|token| ("NextToken".to_owned(), token)));
            self.calls.fetch_add(1, Ordering::Relaxed);
            let page = self.session.call(service, action, &parameters).await?;
            let token = token(&page).map(str::to_owned);
            pages.push(page);
            if token.is_none() {
                return Ok(pages);
            }
            if token == next {
                break;
            }
            next = token;
        }
        Err(nonsense(service, action, "the last page"))
    }

    fn page(&self) -> Parameters {
        vec![("MaxResults".to_owned(), self.session.client().options.page.to_string())]
    }
}

/// Filters as a form has them.
fn filters(plan: &Plan, own: &BTreeMap<String, Vec<String>>) -> Parameters {
    let own = own.iter().map(|(name, values)| (name, values.iter().collect::<Vec<_>>()));
    let planned = plan.filters.iter().map(|(name, values)| (name, values.iter().collect::<Vec<_>>()));
    let mut parameters = Vec::new();
    for (at, (name, values)) in (1..).zip(own.chain(planned)) {
        parameters.push((format!("Filter.{at}.Name"), name.clone()));
        let values = (1..).zip(values);
        parameters.extend(values.map(|(of, value)| (format!("Filter.{at}.Value.{of}"), value.clone())));
    }
    parameters
}

/// What leads to the next page. The services spell it differently, and have it in different places.
fn token(page: &Element) -> Option<&str> {
    let result = page.child(GROUPS).unwrap_or(page);
    result.text("nextToken").or_else(|| result.text("NextToken"))
}

/// A list that an answer must have, be it empty.
fn known<'a>(page: &'a Element, action: &str, name: &str) -> Result<&'a Element, Failure> {
    page.child(name).ok_or_else(|| nonsense(Service::Ec2, action, name))
}

fn nonsense(service: Service, action: &str, what: &str) -> Failure {
    Failure::nonsense(&format!("{}:{action}", service.name()), &format!("{what} is not as it is known"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_numbered_with_their_values() {
        let planned = [("tag:app".to_owned(), ["api", "web"].map(str::to_owned).into())];
        let plan = Plan { filters: planned.into(), ..Plan::default() };
        let own = [("subnet-id".to_owned(), vec!["subnet-1".to_owned()])].into();
        let form: Vec<_> =
            filters(&plan, &own).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected = [
            "Filter.1.Name=subnet-id",
            "Filter.1.Value.1=subnet-1",
            "Filter.2.Name=tag:app",
            "Filter.2.Value.1=api",
            "Filter.2.Value.2=web",
        ];
        assert_eq!(form, expected);
    }

    #[test]
    fn the_next_page_is_found_where_each_service_has_it() {
        let leads = |document: &str| token(&Element::parse(document).expect("a document")).map(str::to_owned);
        assert_eq!(leads("<r><nextToken>a</nextToken></r>").as_deref(), Some("a"));
        assert_eq!(leads("<r><nextToken/></r>"), None);
        let group = format!("<r><{GROUPS}><NextToken>b</NextToken></{GROUPS}></r>");
        assert_eq!(leads(&group).as_deref(), Some("b"));
    }
}
