//! Formulas over conditions, and their disjunctive form.

/// A formula; negations are in the conditions.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Formula<C> {
    /// All of them.
    And(Vec<Formula<C>>),
    /// One of them.
    Or(Vec<Formula<C>>),
    /// This one.
    Is(C),
}

impl<C: Clone + PartialEq> Formula<C> {
    /// Holds always.
    pub(super) const fn always() -> Self {
        Self::And(Vec::new())
    }

    /// Holds never.
    pub(super) const fn never() -> Self {
        Self::Or(Vec::new())
    }

    /// The disjuncts, each a list of conditions that all hold; `None`: there would be more than `most`.
    pub(super) fn disjuncts(&self, most: usize) -> Option<Vec<Vec<C>>> {
        match self {
            Self::Is(condition) => Some(vec![vec![condition.clone()]]),
            Self::Or(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    add_new(&mut all, part.disjuncts(most)?);
                    if all.len() > most {
                        return None;
                    }
                }
                Some(all)
            }
            Self::And(parts) => {
                let mut all = vec![Vec::new()];
                for part in parts {
                    all = product(&all, &part.disjuncts(most)?, most)?;
                }
                Some(all)
            }
        }
    }
}

fn product<C: Clone + PartialEq>(a: &[Vec<C>], b: &[Vec<C>], most: usize) -> Option<Vec<Vec<C>>> {
    if a.len().saturating_mul(b.len()) > most {
        return None;
    }
    let mut all = Vec::new();
    for left in a {
        let joined = b.iter().map(|right| {
            let mut both = left.clone();
            add_new(&mut both, right.clone());
            both
        });
        add_new(&mut all, joined.collect());
    }
    Some(all)
}

fn add_new<T: PartialEq>(to: &mut Vec<T>, from: Vec<T>) {
    for each in from {
        if !to.contains(&each) {
            to.push(each);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Formula::{And, Is, Or};
    use super::*;

    #[test]
    fn and_over_or_is_multiplied_out_without_repetition() {
        let formula = And(vec![Is(1), Or(vec![Is(2), Is(1)]), Or(vec![Is(3)])]);
        assert_eq!(formula.disjuncts(8), Some(vec![vec![1, 2, 3], vec![1, 3]]));
        assert_eq!(Formula::<u8>::always().disjuncts(8), Some(vec![vec![]]));
        assert_eq!(Formula::<u8>::never().disjuncts(8), Some(vec![]));
    }

    #[test]
    fn what_would_grow_beyond_the_limit_is_refused() {
        let pair = |n| Or(vec![Is(n), Is(n + 1)]);
        assert_eq!(And(vec![pair(0), pair(2), pair(4)]).disjuncts(7), None);
    }
}
