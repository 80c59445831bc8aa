//! What may be believed of an answer.
//!
//! - An answer that says that it was filtered, that nobody leads, or that is too old, is a failure.
//! - What an agent answers from what it keeps itself, if its cache may answer, does not say what it leaves out. If it
//!   lacks something, or nothing has come for as long as a query waits, a server is asked.
//! - So are a stale answer that lacks something, and any by which a service loses all it had, with the strongest
//!   consistency: servers have told nothing with good conscience after a change of leaders.
//! - A catalog that has begun anew says nothing about what it lacks (see [`Trust`](crate::trust::Trust)).

use biplane_consul_client::{Answer, Consistency, Query, QueryMeta};
use tokio::time::Instant;

use super::Round;
use crate::counters::count;
use crate::failure::Failure;
use crate::subject::Content;

impl Round {
    /// The answer, or a stronger one in its place.
    pub(super) async fn believe(&mut self, answer: Answer<Content>) -> Result<Answer<Content>, Failure> {
        let asked = Instant::now();
        let answer = self.fresh(answer).await?;
        self.check_identity(self.failing).await?;
        if self.is_doubtful(&answer) { self.confirm(asked).await } else { Ok(answer) }
    }

    /// The answer if it is young enough, else the leader's.
    async fn fresh(&mut self, answer: Answer<Content>) -> Result<Answer<Content>, Failure> {
        if answer.meta.last_contact <= self.catalog.options.max_stale {
            self.vouched(&answer.meta)?;
            return Ok(answer);
        }
        let answer = self.read(self.direct()).await?;
        self.vouched(&answer.meta)?;
        Ok(answer)
    }

    /// As the subject is asked, but by a server that is up to date.
    pub(super) fn direct(&self) -> Query {
        let weak = self.subject.consistency == Consistency::Stale;
        let consistency = if weak { Consistency::Default } else { self.subject.consistency };
        Query { cached: false, ..self.subject.query() }.consistency(consistency)
    }

    fn vouched(&self, meta: &QueryMeta) -> Result<(), Failure> {
        let most = self.catalog.options.max_stale;
        // An agent that answers from what it keeps does not know any of this.
        if meta.kept {
            return Ok(());
        }
        if meta.filtered {
            count(&self.catalog.counters.filtered);
            return Err(Failure::filtered(&self.subject));
        }
        if !meta.known_leader {
            return Err(Failure::no_leader(&self.subject));
        }
        if meta.last_contact > most {
            return Err(Failure::stale(&self.subject, meta, most));
        }
        Ok(())
    }

    /// Whether it takes another question to believe this.
    fn is_doubtful(&self, answer: &Answer<Content>) -> bool {
        let Answer { value, meta } = answer;
        let told = self.tell.borrow();
        let Some(known) = told.known.as_deref() else { return meta.kept };
        let is_weak = meta.kept || self.subject.consistency == Consistency::Stale;
        value.is_ruin_of(known)
            || is_weak && value.lacks_something_of(known)
            || meta.kept && self.subject.consistency == Consistency::Consistent
            || self.went_back(meta)
    }

    /// Within one life of a catalog the index of most questions only grows.
    fn went_back(&self, meta: &QueryMeta) -> bool {
        self.subject.has_growing_index() && !meta.kept && meta.index < self.seen
    }

    /// Asks a server, with the strongest consistency, and whether the catalog is the one that is known.
    async fn confirm(&mut self, asked: Instant) -> Result<Answer<Content>, Failure> {
        count(&self.catalog.counters.confirmations);
        // Without a token of ours it may be another one by now that decides what is left out.
        let identified = self.catalog.client.identify().await;
        identified.map_err(|error| Failure::of_call(&self.subject, &error))?;
        let answer = self.read(Query::consistent()).await?;
        self.vouched(&answer.meta)?;
        self.check_identity(Some(asked)).await?;
        let datacenter = self.subject.datacenter();
        if self.went_back(&answer.meta) && self.catalog.trust.went_back(datacenter, self.life) {
            self.catalog.began_anew();
        }
        self.is_held(&answer.value)?;
        Ok(answer)
    }

    fn is_held(&self, value: &Content) -> Result<(), Failure> {
        let told = self.tell.borrow();
        let Some(known) = told.known.as_deref().filter(|known| value.is_ruin_of(known)) else {
            return Ok(());
        };
        let trust = &self.catalog.trust;
        if self.life == trust.life(self.subject.datacenter())
            || !trust.holds(&self.subject, self.catalog.options.tuning.settle)
        {
            return Ok(());
        }
        count(&self.catalog.counters.held);
        Err(Failure::held(&self.subject, known.len(), value.len()))
    }

    async fn check_identity(&mut self, since: Option<Instant>) -> Result<(), Failure> {
        let checked = self.catalog.trust.check(&self.catalog.client, self.subject.datacenter(), since).await;
        if checked.map_err(|error| Failure::of_call(&self.subject, &error))? {
            self.catalog.began_anew();
        }
        Ok(())
    }
}
