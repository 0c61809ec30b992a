//! The rooms of one connection.

use std::sync::Arc;

/// Names, each once, sorted. Most connections are in one room or in few, and there are many connections: a set would
/// have room for eleven in each.
#[derive(Debug, Default)]
pub(crate) enum Names {
    #[default]
    None,
    One(Arc<str>),
    /// Two at least.
    Many(Vec<Arc<str>>),
}

impl Names {
    pub(crate) fn as_slice(&self) -> &[Arc<str>] {
        match self {
            Self::None => &[],
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Arc<str>> {
        self.as_slice().iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// Adds a name that is not there.
    pub(crate) fn insert(&mut self, name: Arc<str>) {
        let Err(place) = self.find(&name) else { return };
        match self {
            Self::None => *self = Self::One(name),
            Self::One(other) => {
                let other = Arc::clone(other);
                let mut names = vec![other];
                names.insert(place, name);
                *self = Self::Many(names);
            }
            Self::Many(names) => names.insert(place, name),
        }
    }

    /// Takes a name out. Whether it was there.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let Ok(place) = self.find(name) else {
            return false;
        };
        match self {
            Self::Many(names) => {
                names.remove(place);
                if let [left] = &names[..] {
                    *self = Self::One(Arc::clone(left));
                }
            }
            _ => *self = Self::None,
        }
        true
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.as_slice()
            .binary_search_by(|known| (**known).cmp(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_sorted_set_of_any_size() {
        let mut names = Names::default();
        let list = |names: &Names| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (name, after) in [
            ("b", &["b"][..]),
            ("b", &["b"]),
            ("a", &["a", "b"]),
            ("c", &["a", "b", "c"]),
            ("a", &["a", "b", "c"]),
        ] {
            names.insert(name.into());
            assert_eq!(list(&names), after);
            assert!(names.contains(name));
        }
        for (name, was_in, after) in [
            ("x", false, &["a", "b", "c"][..]),
            ("b", true, &["a", "c"]),
            ("b", false, &["a", "c"]),
            ("c", true, &["a"]),
            ("c", false, &["a"]),
            ("a", true, &[]),
            ("a", false, &[]),
        ] {
            assert_eq!(names.remove(name), was_in, "{name}");
            assert_eq!(list(&names), after);
            assert_eq!(names.is_empty(), after.is_empty());
        }
    }

    #[test]
    fn it_is_as_small_as_one_name() {
        assert!(size_of::<Names>() <= size_of::<Vec<()>>());
    }
}
